# A sum over the lanes leaves half of them out.
/float warp_sum(float x)/,/^}/s|step = WARP / 2|step = WARP / 4|
