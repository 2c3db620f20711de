#!/usr/bin/env bash
# Installs missing packages on Debian and Ubuntu, as root or with sudo; without either, it prints the command.
#   tools/setup.sh             what building needs
#   tools/setup.sh checks      what tools/check.sh needs
#   tools/setup.sh datasets    what tools/fetch_datasets.sh needs
set -euo pipefail

# Debian 13's sentencepiece.pc requires protobuf-lite, which its package does not depend on.
building=(build-essential cmake ninja-build pkg-config git libdnnl-dev libhdf5-dev libyaml-dev libjansson-dev
    libsentencepiece-dev libprotobuf-dev libcurl4-openssl-dev libopenmpi-dev openmpi-bin)
fetching=(ca-certificates curl unzip)
optional=() # installed if the distribution has them
case ${1:-} in
    "") packages=("${building[@]}") ;;
    checks)
        packages=("${building[@]}" libcmocka-dev python3 curl unzip)
        # see tools/pinned.sh; clang and its runtimes: presets fuzz and tsan
        optional=(clang-format-14 clang-tidy-14 clang-14 libclang-rt-14-dev libomp-14-dev)
        ;;
    datasets) packages=("${fetching[@]}") ;;
    *)
        echo "setup: unknown argument '$1'; allowed are checks, datasets, or none" >&2
        exit 2
        ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not a Debian or Ubuntu system; make sure that it has the equivalents of: ${packages[*]}" >&2
    exit 0
fi
missing() { # package...: those that are not installed, one a line
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || echo "$package"
    done
}
available() { # package...: those that apt can install, one a line
    local package
    for package in "$@"; do
        apt-cache show "$package" >/dev/null 2>&1 && echo "$package"
    done
    return 0
}
mapfile -t required < <(missing "${packages[@]}")
mapfile -t extra < <(missing "${optional[@]}")
if compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then # apt knows what there is
    mapfile -t extra < <(available "${extra[@]}")
fi
wanted=("${required[@]}" "${extra[@]}")
[ ${#wanted[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
elif [ ${#required[@]} -eq 0 ]; then
    exit 0
else
    echo "setup: these packages are missing. As root, run:" >&2
    echo "    apt-get update && apt-get install -y --no-install-recommends ${required[*]}" >&2
    exit 1
fi

log=$(mktemp)
failed() {
    tail -20 "$log" >&2
    echo "setup: installing failed; the whole log is $log" >&2
    exit 1
}
echo "setup: installing ${wanted[*]}" >&2
"${as_root[@]}" apt-get update -qq >"$log" 2>&1 || [ ${#required[@]} -eq 0 ] || failed
[ ${#required[@]} -eq 0 ] ||
    "${as_root[@]}" apt-get install -y --no-install-recommends -qq "${required[@]}" >>"$log" 2>&1 || failed
# What is optional never stands in the way.
mapfile -t extra < <(available "${extra[@]}")
[ ${#extra[@]} -eq 0 ] ||
    "${as_root[@]}" apt-get install -y --no-install-recommends -qq "${extra[@]}" >>"$log" 2>&1 ||
    echo "setup: could not install ${extra[*]}; the checks that need them are left out" >&2
rm -f "$log"
