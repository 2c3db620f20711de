# 16-byte loads from rows that begin anywhere.
s/p->ldq % 8 == 0 \&\&/true \&\&/
