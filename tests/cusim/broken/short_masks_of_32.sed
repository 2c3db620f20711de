# The second warp of 32 keys drops what the first does.
s/warp_row % 32 \/ 4 + g % 2/g % 2/
