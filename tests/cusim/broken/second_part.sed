# Each half of a tile of queries is taken for a whole one.
s/now.query0 - part;/now.query0;/
