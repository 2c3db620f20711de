# Bins of a histogram cleared from the second on.
s/for (int b = threadIdx.x; b < BINS; b += THREADS)/for (int b = threadIdx.x + 1; b < BINS; b += THREADS)/
