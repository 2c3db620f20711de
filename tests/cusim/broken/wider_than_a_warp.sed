# Rows that are not aligned are copied as far as a warp's lanes reach.
s/for (int c = lane; c < n; c += WARP) target/for (int c = lane; c < n; c += n) target/
