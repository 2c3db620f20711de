# A tile's dS is read before all warps have written theirs.
/prepare(next, 1 - stage);/,/before = now/s/__syncthreads();/;/
