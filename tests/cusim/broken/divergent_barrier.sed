# Some threads leave a barrier out.
s/if (FORWARD) __syncthreads();/if (FORWARD \&\& threadIdx.x < 100) __syncthreads();/
