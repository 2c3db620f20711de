# A sum over the lanes reaches beyond the warp.
/N warp_sum(N x)/,/^}/s|step = WARP / 2|step = WARP|
