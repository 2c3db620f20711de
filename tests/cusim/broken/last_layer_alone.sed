# A layer's sums take the place of those of the layers above it.
s/\*to = add ? \*to + factor \* own : factor \* own/*to = add ? factor * own : factor * own/
