# Of more runs than there are blocks, the first ones alone are taken.
s/if (i % share != static_cast<int>(blockIdx.x) % share) continue;/if (i != static_cast<int>(blockIdx.x) % share) continue;/
