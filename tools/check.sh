#!/usr/bin/env bash
# Everything that must hold: format, layers, lint, builds without warnings (with nvcc too, where it is), all tests,
# and the unit tests under AddressSanitizer. Sets up what it needs. TT_QUICK=1 leaves lint and sanitizers out.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh checks

part() { # name, command...: runs it, says how long it took
    local name=$1 started=$SECONDS
    shift
    echo "== $name"
    "$@"
    echo "== $name: $((SECONDS - started)) s"
}

build() {
    cmake --preset "$1" >/dev/null
    cmake --build --preset "$1" -- --quiet
}

# Only the functions that a change can have touched are worth a lint of minutes: all files, in parallel.
lint() {
    git ls-files 'host/*.c' 'kernels/*.c' |
        xargs -P "$(nproc)" -n 8 clang-tidy -p build/ci --quiet 2>/dev/null
}

# The CUDA device as it is on a GPU: compiled for all of them without a warning or a spill, and linked. Whether it
# computes right is tested on CPUs too (tests/cusim), with the other tests.
cuda_build() {
    if ! command -v nvcc >/dev/null; then
        echo "skipped: no nvcc here"
        return
    fi
    cmake --preset cuda -DTT_KERNEL_REPORT=ON >/dev/null
    if ! cmake --build --preset cuda --target tinythinker_cli >build/cuda/build.log 2>&1; then
        grep -E 'error|warning|FAILED' build/cuda/build.log >&2
        return 1
    fi
    tools/kernel_report.sh <build/cuda/build.log
    build/cuda/tinythinker device
}

# Tests start MPI as root in containers, on fewer cores than ranks.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none

part "format" tools/format.sh --check
part "layers" tools/check_layers.sh
part "build" build ci
if [ -z "${TT_QUICK:-}" ]; then
    part "lint" lint
    part "build with sanitizers" build asan
    # oneDNN's and MPI's own leaks are not ours to find.
    part "unit tests with sanitizers" env ASAN_OPTIONS=detect_leaks=0 ctest --preset asan -L unit --no-tests=error
fi
part "CUDA build" cuda_build
part "tests" ctest --preset ci --no-tests=error
