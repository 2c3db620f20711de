# The last warp has no say in what is largest.
s/for (int w = 1; w < THREADS \/ WARP; ++w)/for (int w = 1; w < THREADS \/ WARP - 1; ++w)/
