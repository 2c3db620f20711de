#!/usr/bin/env bash
# Builds for arm64 with Debian's cross-compiler and runs unit tests and twins in user-mode emulation (qemu). Libraries and
# headers come from Debian's arm64 packages, unpacked into a folder; nothing of them is installed or run on this machine
# outside the emulator. Needs root (for debootstrap) and:
#   apt-get install debootstrap qemu-user-static gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross
#   tools/check_arm64.sh [CTEST ARGUMENTS...]     (default: all unit tests but one, and twins)
# TT_MIRROR=ADDRESS     where packages come from; default: what this machine's own apt uses for Debian
# TT_ARM64=FOLDER       outside of the source; keeps packages, the build and logs; default: /var/tmp/tinythinker-arm64
# TT_RELEASE=NAME       Debian's release, the cross-compiler's own; default: this machine's
# TT_TARGETS="..."      what to build; default: the program, unit tests and twins
# TT_JOBS=N             compilers and tests at a time; default: one for each core
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "${TT_ARM64:-/var/tmp/tinythinker-arm64}")
release=${TT_RELEASE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
jobs=${TT_JOBS:-$(nproc)}
root=$folder/root
triplet=aarch64-linux-gnu
tests=("$@")
# A signal each half millisecond, as in test_interrupt, leaves the emulator no time for the program.
[ $# -gt 0 ] || tests=(-L '^(unit|twins)$' -E '^unit/test_interrupt$')

say() { echo "check_arm64: $*" >&2; }
absent=()
for program in debootstrap qemu-aarch64-static $triplet-gcc $triplet-g++; do
    command -v "$program" >/dev/null || absent+=("$program")
done
if [ ${#absent[@]} -gt 0 ]; then
    say "not installed: ${absent[*]}; the head of tools/check_arm64.sh names the packages"
    exit 1
fi

# The packages, with all that they depend on, unpacked over each other; their scripts are not run.
if [ ! -e "$root/complete" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        say "unpacking Debian's arm64 packages needs root"
        exit 1
    fi
    mirror=${TT_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head -1)}
    if [ -z "$mirror" ]; then
        say "this machine's apt has no mirror of Debian; name one with TT_MIRROR=ADDRESS"
        exit 1
    fi
    rm -rf --one-file-system "$root"
    mkdir -p "$root" "$folder/packages"
    packages=libc6-dev,libgomp1,libstdc++6,libdnnl-dev,libhdf5-dev,libyaml-dev,libjansson-dev,libsentencepiece-dev
    packages+=,libprotobuf-dev,libcmocka-dev
    say "fetching $release's packages from $mirror"
    if ! debootstrap --foreign --arch=arm64 --variant=minbase --cache-dir="$folder/packages" --include="$packages" \
        "$release" "$root" "$mirror" >"$folder/packages.log" 2>&1; then
        tail -n 20 "$folder/packages.log" >&2
        exit 1
    fi
    for package in "$root"/var/cache/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
    done
    find "$root" -type l -lname '/*' | while read -r link; do # absolute links mean this machine's files
        ln -sfnr "$root$(readlink "$link")" "$link"
    done
    touch "$root/complete"
fi

# CMake's FindHDF5 would ask this machine's h5cc.
hdf5=$(cd "$root" && echo usr/lib/$triplet/hdf5/serial/libhdf5.so)
export PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_LIBDIR=$root/usr/lib/$triplet/pkgconfig:$root/usr/share/pkgconfig
cat >"$folder/toolchain.cmake" <<TOOLCHAIN
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER $triplet-gcc)
set(CMAKE_CXX_COMPILER $triplet-g++)
set(CMAKE_LIBRARY_ARCHITECTURE $triplet)
set(CMAKE_SYSROOT "$root")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64-static;-L;$root")
set(HDF5_C_COMPILER_EXECUTABLE HDF5_C_COMPILER_EXECUTABLE-NOTFOUND CACHE FILEPATH "")
set(HDF5_C_INCLUDE_DIR "$root/usr/include/hdf5/serial" CACHE PATH "")
set(HDF5_C_LIBRARY_hdf5 "$root/$hdf5" CACHE FILEPATH "")
set(HDF5_hdf5_LIBRARY_RELEASE "$root/$hdf5" CACHE FILEPATH "")
TOOLCHAIN
cmake -S . -B "$folder/build" -G Ninja --toolchain "$folder/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release \
    -DTT_WERROR=ON -DTT_MPI=OFF >"$folder/configure.log" 2>&1 || {
    tail -n 20 "$folder/configure.log" >&2
    exit 1
}
targets=(tinythinker_cli)
for source in tests/unit/test_*.c tests/twins/test_*.c; do targets+=("$(basename "$source" .c)"); done
[ -z "${TT_TARGETS:-}" ] || read -ra targets <<<"$TT_TARGETS"
cmake --build "$folder/build" -j "$jobs" --target "${targets[@]}" -- --quiet
ctest --test-dir "$folder/build" --output-on-failure --no-tests=error -j "$jobs" "${tests[@]}"
