# A batch that is tried again begins at its first product.
s/for (; \*made < c->key.batch; ++\*made) {/for (*made = 0; *made < c->key.batch; ++*made) {/
