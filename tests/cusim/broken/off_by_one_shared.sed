# Bins of a histogram cleared from the second on.
s/m->bins.clear(b);/m->bins.clear(b + 1);/
