# Every second query is dropped as the one before it.
s/of\[4\] >> bit/of[0] >> bit/
