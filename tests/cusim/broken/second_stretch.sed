# Rows that are longer than a warp's stretch: the second begins where the first one did.
s/(i - row \* stretches) \* out->stretch + threadIdx/threadIdx/
