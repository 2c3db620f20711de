# The first bit of a byte of the mask is taken for the last element's.
s/bits\[u\] >> i & 1/bits[u] >> (EIGHT - 1 - i) \& 1/
