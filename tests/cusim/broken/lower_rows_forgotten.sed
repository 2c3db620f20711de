# Where warps have 16 rows, the masks of the upper 16 take the place of the lower ones.
s/\[warp_row \/ 16 % 2\] =/[0] =/
