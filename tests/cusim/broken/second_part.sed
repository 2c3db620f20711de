# The second 16 queries of a tile are dropped as the first.
s/m->example\[stage\] + part/m->example[stage]/
