#!/usr/bin/env bash
# Runs the README's two commands on bare Debian systems, as a newcomer would: bootstraps each release into a folder with
# nothing but its base packages, clones the last commit into it, and runs tools/quickstart.sh and tools/check.sh
# there. Then cpack makes the packages there, and tinythinker's is installed in another bare system and answers a
# question. Needs root, debootstrap, and about 5 GB of disk for each release.
#   tools/check_bare.sh [RELEASE...]     (default: bookworm trixie)
# TT_MIRROR=ADDRESS     where packages come from; default: the mirror of this machine's apt
# TT_BARE=FOLDER        for logs, downloaded packages, and systems that failed; default: build/bare
# TT_QUICKSTART=...     arguments of quickstart.sh; default: few steps and questions; "full": none
# TT_QUICK=1            is passed on to check.sh
# TT_PARTS=...          what to run; default: quickstart check package
set -euo pipefail
cd "$(dirname "$0")/.."
releases=("$@")
for release in "${releases[@]}"; do
    case $release in
        -*) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' tools/check_bare.sh; exit 2 ;;
    esac
done
[ $# -gt 0 ] || releases=(bookworm trixie)
folder=$(realpath -m "${TT_BARE:-build/bare}")
parts=${TT_PARTS:-quickstart check package}
short="--set acquisition.steps=49 --set acquisition.validate_every=7 --set acquisition.validation_questions=20
    --set reflection.questions=20 --set reflection.samples=4 --set reflection.cycles=1 --set evaluation.questions=50
    --set evaluation.samples=2"
short=${TT_QUICKSTART-$short}
[ "$short" != full ] || short=

say() { echo "check_bare: $*" >&2; }
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
    say "this needs root, and debootstrap (apt-get install debootstrap)"
    exit 1
fi
mirror=${TT_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head -1)}
if [ -z "$mirror" ]; then
    say "this machine's apt has no mirror of Debian; set TT_MIRROR=ADDRESS"
    exit 1
fi

bootstrap() { # release, root
    local include=()
    [ "${mirror#https}" = "$mirror" ] || include=(--include=ca-certificates)
    mkdir -p "$folder/packages/$1"
    debootstrap --variant=minbase "${include[@]}" --cache-dir="$folder/packages/$1" "$1" "$2" "$mirror"
    # How this machine reaches the mirror: proxies, certificates, name servers.
    apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-)' >"$2/etc/apt/apt.conf.d/90machine" || true
    cp -L /etc/resolv.conf /etc/hosts "$2/etc/"
    [ ${#include[@]} -eq 0 ] || cp -L /etc/ssl/certs/ca-certificates.crt "$2/etc/ssl/certs/"
}

inside() { # root, packages, command: runs it in its own namespaces, whose mounts and processes end with it
    unshare --mount --pid --fork --kill-child bash -euc '
        mount --make-rprivate /
        mount -t proc proc "$0/proc"
        mount -t sysfs sysfs "$0/sys"
        mkdir -p "$0/dev/shm"
        mount -t tmpfs tmpfs "$0/dev/shm"
        mount --bind "$1" "$0/var/cache/apt/archives"
        exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin ${TT_QUICK:+TT_QUICK=$TT_QUICK} \
            ${http_proxy:+http_proxy=$http_proxy} ${https_proxy:+https_proxy=$https_proxy} \
            bash -c "cd /root/tinythinker && $2"' "$1" "$2" "$3" </dev/null
}

failed=0
run() { # release, name, command
    local log=$folder/$1-$2.log started=$SECONDS status=0
    say "$1: $3"
    inside "$folder/$1" "$folder/packages/${1%-installed}" "$3" >"$log" 2>&1 || status=$?
    say "$1: $2 took $((SECONDS - started)) s"
    if [ $status -ne 0 ]; then
        tail -n 40 "$log" >&2
        say "$1: $2 FAILED with status $status; all of its output: $log"
        failed=1
    elif [ "$2" = quickstart ] && sed '/^built in/q' "$log" | grep -n -i 'warning' >&2; then
        say "$1: $2 FAILED: building gives the warnings above; all of its output: $log"
        failed=1
    fi
}

# The .deb of the program, made in the system that has what building needs, installed where nothing of that is.
package() { # release
    local fresh=$folder/$1-installed before=$failed
    run "$1" packing "tools/setup.sh && cmake --preset package >/dev/null && cmake --build --preset package -- --quiet &&
        cpack --config build/package/CPackConfig.cmake -B packages"
    [ $failed -eq "$before" ] || return 0
    rm -rf --one-file-system "$fresh"
    bootstrap "$1" "$fresh" >"$folder/$1-installed-bootstrap.log" 2>&1
    mkdir -p "$fresh/root/tinythinker"
    cp "$folder/$1"/root/tinythinker/packages/tinythinker_*.deb "$fresh/root/"
    cat >"$fresh/root/tinythinker/try.sh" <<'TRY'
set -eu
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /root/*.deb
cd /tmp
tinythinker --version
tinythinker ask --model datasets/everyday/reasoner.h5 "What holds water?" cup knife
tinythinker corpus build datasets/everyday/world.yaml -o world.h5
tinythinker eval --model datasets/everyday/reasoner.h5 --corpus world.h5 --limit 20
TRY
    run "$1-installed" package "bash try.sh"
    [ $failed -ne "$before" ] || rm -rf --one-file-system "$fresh"
}

mkdir -p "$folder"
for release in "${releases[@]}"; do
    root=$folder/$release
    rm -rf --one-file-system "$root"
    started=$SECONDS before=$failed
    if ! bootstrap "$release" "$root" >"$folder/$release-bootstrap.log" 2>&1; then
        tail -n 20 "$folder/$release-bootstrap.log" >&2
        say "$release: FAILED to bootstrap; all of the output: $folder/$release-bootstrap.log"
        failed=1
        continue
    fi
    say "$release: bootstrapped in $((SECONDS - started)) s"
    git clone -q --no-hardlinks . "$root/root/tinythinker"
    for part in $parts; do
        case $part in
            quickstart) run "$release" quickstart "tools/quickstart.sh ${short//$'\n'/ }" ;;
            check) run "$release" check "tools/check.sh" ;;
            package) package "$release" ;;
        esac
    done
    [ $failed -ne $before ] || rm -rf --one-file-system "$root"
done
exit $failed
