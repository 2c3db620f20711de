# The second 16 queries of a tile are taken for those that exist where the first are.
s/const int rows = now.queries - now.query0 - part;/const int rows = now.queries - now.query0;/
