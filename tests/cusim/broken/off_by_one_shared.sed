# Bins of a histogram cleared from the second on.
s/m->bins\[b\] = 0;/m->bins[b + 1] = 0;/
