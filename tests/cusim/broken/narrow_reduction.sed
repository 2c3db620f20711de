# A sum over the lanes leaves half of them out.
/N warp_sum(N x)/,/^}/s|step = WARP / 2|step = WARP / 4|
