# Rows that fill up a step attend to two rows of the cache, of which they have written one.
s/length\[i\] = source_length\[i\] = 1;/length[i] = 2, source_length[i] = 1;/
