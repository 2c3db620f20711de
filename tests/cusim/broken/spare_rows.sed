# Rows that fill up a step attend to two rows of the cache, of which they have written one.
s/to\[SOURCE_LENGTH \* slots + i\] = 1;/to[SOURCE_LENGTH * slots + i] = 2;/
