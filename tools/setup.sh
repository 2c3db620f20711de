#!/usr/bin/env bash
# Installs what building needs on Debian and Ubuntu, if it is missing. `tools/setup.sh checks` adds what
# tools/check.sh needs. As root or through sudo; otherwise prints the command.
set -euo pipefail

packages=(build-essential cmake ninja-build pkg-config git libdnnl-dev libhdf5-dev libyaml-dev libjansson-dev
    libsentencepiece-dev libopenmpi-dev openmpi-bin)
if [ "${1:-}" = checks ]; then
    packages+=(libcmocka-dev clang-format clang-tidy clang jq python3)
fi

if ! command -v dpkg-query >/dev/null; then
    echo "setup: not a Debian or Ubuntu system; install the equivalents of: ${packages[*]}" >&2
    exit 0
fi
missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
echo "setup: installing ${missing[*]}" >&2
if [ "$(id -u)" -eq 0 ]; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
    echo "setup: these packages are missing. As root, run:" >&2
    echo "    apt-get update && ${install[*]}" >&2
    exit 1
fi
log=$(mktemp)
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" "${install[@]}" -qq; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    echo "setup: installing failed; the whole log is $log" >&2
    exit 1
fi
rm -f "$log"
