# The second 32 keys of a block drop what the first do.
s/m->mask\[stage\]\[warp_row \/ 32 \* 32 + /m->mask[stage][/
