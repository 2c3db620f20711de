# The first bit of a byte of the mask is taken for the last element's.
s/bits >> i & 1/bits >> (EIGHT - 1 - i) \& 1/
