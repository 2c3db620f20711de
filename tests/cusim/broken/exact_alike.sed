# What is asked for by itself is taken for what serves many.
s/ \&\& a->exact == b->exact;/;/
s/ | s->exact << 5//
