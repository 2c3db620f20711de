# Of more norms than a launch takes, the rest is not summed.
s/if (strips.n < tt_cuda_strips::MOST \&\& i + 1 < n) continue;/if (strips.n < tt_cuda_strips::MOST \&\& (i + 1 < n || n > tt_cuda_strips::MOST)) continue;/
