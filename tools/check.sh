#!/usr/bin/env bash
# Checks everything that must hold: format, layers, lint, builds without warnings (with nvcc too, if it is installed), all
# tests, the unit tests under AddressSanitizer, a short fuzzing, and the main tests as on a CPU without AVX-512. Installs
# what it needs.
# Continues after a failure, unless the build fails, and lists all failures at the end.
#   TT_QUICK=1 tools/check.sh     leaves out lint, sanitizers and the tests as on a CPU without AVX-512
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh checks

# Many tests wait more than they compute.
jobs=$(nproc)
[ "$jobs" -le 8 ] || jobs=8

failed=()
part() { # name, command...: runs the command and prints its time
    local name=$1 started=$SECONDS
    shift
    echo "== $name"
    "$@" || failed+=("$name")
    echo "== $name: $((SECONDS - started)) s"
}

build() {
    cmake --preset "$1" >/dev/null && cmake --build --preset "$1" -- --quiet
}

lint() {
    local tidy
    if ! tidy=$(tools/pinned.sh clang-tidy); then
        echo "skipped: no lint"
        return
    fi
    git ls-files --cached --others --exclude-standard 'host/*.c' 'kernels/*.c' | xargs -P "$(nproc)" -n 8 "$tidy" -p build/ci --quiet 2>/dev/null
}

# Most laptops have no AVX-512: tests of kernels and the README's commands again, with ours and oneDNN limited to AVX2.
tests_with_avx2() {
    if ! build/ci/tinythinker device | grep -q '^cpu *avx512'; then
        echo "skipped: this CPU has no AVX-512, so all tests run without it anyway"
        return
    fi
    TT_MAX_CPU_ISA=avx2 ctest --preset ci -L '^(unit|twins)$' -j "$jobs" --no-tests=error &&
        TT_MAX_CPU_ISA=avx2 ctest --preset ci -R '^(e2e/quickstart|faults/precision)$' --no-tests=error
}

# One build serves the unit tests under sanitizers and the fuzzing. Where clang 14 with libFuzzer is not installed, the
# compiler's own sanitizers do for the tests.
sanitized=asan
choose_sanitizers() {
    if command -v clang-14 >/dev/null &&
        echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return d && n < 0; }' |
        clang-14 -fsanitize=fuzzer -x c - -o build/fuzz_probe 2>/dev/null; then
        sanitized=fuzz
    fi
    rm -f build/fuzz_probe
}
build_with_sanitizers() {
    cmake --preset $sanitized >/dev/null && cmake --build build/$sanitized -- --quiet
}

# A second for each target: what breaks at once. Longer ones: tools/fuzz.sh. Its inputs are random, so that what it finds is
# shown and fails nothing here: the same commit must get the same verdict. Stored inputs are tests (label fuzz).
fuzz() {
    if [ $sanitized != fuzz ]; then
        echo "skipped: clang 14 with libFuzzer is not installed"
        return
    fi
    tools/fuzz.sh 1 || echo "FUZZING FOUND SOMETHING: see build/fuzz/findings"
}

# Compiles the CUDA device for all GPUs without a warning or a spill, and links it. The other tests check on the CPU that
# it computes correctly (tests/cusim).
cuda_build() {
    if ! command -v nvcc >/dev/null; then
        echo "skipped: nvcc is not installed"
        return
    fi
    cmake --preset cuda -DTT_KERNEL_REPORT=ON >/dev/null || return
    if ! cmake --build --preset cuda --target tinythinker_cli >build/cuda/build.log 2>&1; then
        grep -E 'error|warning|FAILED' build/cuda/build.log >&2
        return 1
    fi
    tools/kernel_report.sh <build/cuda/build.log &&
        build/cuda/tinythinker device || return
    local status=0
    tools/kernel_budget.py build/cuda || status=$?
    [ $status -eq 0 ] || [ $status -eq 77 ]
}

# For tests that start MPI as root in containers, with more ranks than cores.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none

part "format" tools/format.sh --check
part "layers" tools/check_layers.sh
part "headers" tools/check_headers.sh
part "build" build ci
if [ ! -x build/ci/tinythinker ]; then
    echo "check: the build failed, so nothing else can be checked" >&2
    exit 1
fi
part "circles" tools/check_layers.sh build/ci/CMakeFiles/tinythinker.dir
if [ -z "${TT_QUICK:-}" ]; then
    part "lint" lint
    choose_sanitizers
    part "build with sanitizers" build_with_sanitizers
    # oneDNN and MPI leak memory themselves.
    part "unit tests with sanitizers" env ASAN_OPTIONS=detect_leaks=0 ctest --preset $sanitized -L unit -j "$jobs" --no-tests=error
    part "fuzzing" fuzz
    part "tests with AVX2" tests_with_avx2
fi
part "CUDA build" cuda_build
part "tests" ctest --preset ci -j "$jobs" --no-tests=error
if [ ${#failed[@]} -gt 0 ]; then
    printf 'check: %s failed\n' "${failed[@]}" >&2
    exit 1
fi
