# A batch takes the library's choice for other distances between its matrices.
s/a->stride_a == b->stride_a &&$/true \&\&/
s/a->stride_b == b->stride_b && a->stride_c == b->stride_c;/true;/
