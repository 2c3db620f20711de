# -0 and +0 are told apart.
s/__float_as_uint(x + 0.0f)/__float_as_uint(x)/
