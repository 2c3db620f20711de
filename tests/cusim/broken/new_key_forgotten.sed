# New keys and values are used, but do not go to the cache.
s/if (threadIdx.x < WARP) k.template put_last/if (false) k.template put_last/
