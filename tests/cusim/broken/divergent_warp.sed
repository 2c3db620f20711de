# A lane stays away from the product of its warp.
s/product_times_rows<T, D>(out, s, m->v\[stage\], lane);/if (lane < 31) &/
