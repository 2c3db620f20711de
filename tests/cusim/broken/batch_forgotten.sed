# Where the library has no batches, the first product alone is made.
s/for (; \*made < c->key.batch; ++\*made) {/for (; *made < 1; ++*made) {/
