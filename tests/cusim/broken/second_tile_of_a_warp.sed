# Each warp takes one tile of keys.
s/key0 < k.length; key0 += WARPS \* TILE/key0 < min(k.length, WARPS * TILE); key0 += WARPS * TILE/
