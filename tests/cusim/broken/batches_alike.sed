# A batch takes the layouts of another one, whose matrices lie at other distances.
s/ \&\& a->stride_a == b->stride_a \&\& a->stride_b == b->stride_b \&\&$/ \&\&/
s/a->stride_c == b->stride_c \&\& a->exact/a->exact/
