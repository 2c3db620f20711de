#!/usr/bin/env bash
# Prints registers, spills and shared memory of each kernel and GPU from the output of a build with TT_KERNEL_REPORT=ON;
# fails if a kernel spills registers:
#   cmake --preset cuda -DTT_KERNEL_REPORT=ON && cmake --build --preset cuda | tools/kernel_report.sh
set -euo pipefail
c++filt | awk '
    /Compiling entry function/ {
        line = $0
        sub(/.*entry function ./, "", line); sub(/. for .*/, "", line)
        sub(/^void /, "", line); gsub(/\(anonymous namespace\)::/, "", line); sub(/\(.*\)$/, "", line)
        gsub(/__nv_bfloat16/, "bf16", line)
        name = line
        gpu = $0; sub(/.* for ./, "", gpu); sub(/.$/, "", gpu)
    }
    /bytes spill stores/ { for (i = 1; i < NF; ++i) if ($i == "bytes" && $(i + 1) == "spill") spills += $(i - 1) }
    /Used [0-9]+ registers/ {
        for (i = 1; i <= NF; ++i) { if ($i == "Used") registers = $(i + 1); if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i }
        rows[++n] = sprintf("%-7s %-62s %9d %6d %13d", gpu, name, registers, spills, shared)
        total += spills; spills = 0; shared = 0
    }
    END {
        if (!n) exit 0
        printf "%-7s %-62s %9s %6s %13s\n", "gpu", "kernel", "registers", "spills", "shared, fixed"
        for (i = 1; i <= n; ++i) print rows[i] | "sort"
        close("sort")
        if (total) { print total " bytes of registers are spilled" > "/dev/stderr"; exit 1 }
    }'
