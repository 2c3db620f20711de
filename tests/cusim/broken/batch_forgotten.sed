# Where the library has no batches, the first product alone is made.
s/for (int i = 0; i < c->key.batch; ++i)/for (int i = 0; i < 1; ++i)/
