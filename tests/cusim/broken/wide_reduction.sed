# A sum over the lanes reaches beyond the warp.
/float warp_sum(float x)/,/^}/s|step = WARP / 2|step = WARP|
