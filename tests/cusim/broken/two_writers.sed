# All strips write their sums to one place.
s/store_floats(partial + static_cast<int64_t>(blockIdx.x) \* d + c,/store_floats(partial + c,/
