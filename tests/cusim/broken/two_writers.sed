# All strips write their sums to one place.
s/store4(partial + static_cast<int64_t>(blockIdx.x) \* d + c,/store4(partial + c,/
