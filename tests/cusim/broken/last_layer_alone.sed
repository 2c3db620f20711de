# A layer's sums take the place of those of the layers above it.
s/\*to = add ? \*to + factor \* sum : factor \* sum/*to = add ? factor * sum : factor * sum/
