#!/usr/bin/env bash
# Packs what a build folder of the preset `bundle` has made: program, GPU tests, and every library they load but CUDA's
# own, the C library, its loader and NCCL among them, so that it runs on another Linux with CUDA of the same major version.
# NCCL is most of it: configured with -DTT_NCCL=OFF it is left out, and gradients of several GPUs go by way of the host.
# Called by the build; the folder is BUILD/tinythinker-bundle, beside it the same as .tar.gz.
set -euo pipefail
build=$1
source=$(cd "$(dirname "$0")/.." && pwd)
out=$build/tinythinker-bundle
rm -rf "$out"
mkdir -p "$out/bin" "$out/lib" "$out/tools"
cp "$build/tinythinker" "$build"/tests/test_cuda_* "$out/bin/"
for program in "$out"/bin/*; do
    ldd "$program" | awk '$3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }'
done | sort -u | grep -Ev '/lib(cuda|cudart|cublas|cublasLt)\.so' | xargs -I{} cp -L {} "$out/lib/"
cp "$source"/tools/gpu_{check,ranks}.sh "$source"/tools/bench_{torch,packed}.py "$out/tools/"
mkdir "$out/tools/peers"
cp "$source"/tools/peers/{shapes,t5}.py "$out/tools/peers/" # what bench_torch.py imports
mkdir "$out/configs" "$out/datasets"
cp "$source/configs/everyday.yaml" "$out/configs/"
cp -r "$source/datasets/everyday" "$out/datasets/"
"$build/tinythinker" --version | sed -n '1s/.*(\(.*\))$/\1/p' > "$out/commit"
cat > "$out/run" <<'RUN'
#!/bin/sh
# run NAME ARGUMENTS: a program of bin/ with the libraries of lib/, CUDA's from this machine.
here=$(cd "$(dirname "$0")" && pwd)
name=$1
shift
path=$here/lib
for folder in $(echo "$LD_LIBRARY_PATH" | tr : ' ') "${CUDA_HOME:-/usr/local/cuda}/lib64" /usr/local/cuda*/lib64; do
    [ -d "$folder" ] && path=$path:$folder
done
exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$path" "$here/bin/$name" "$@"
RUN
chmod +x "$out/run"
tar -C "$build" -czf "$out.tar.gz" tinythinker-bundle
du -h "$out.tar.gz"
