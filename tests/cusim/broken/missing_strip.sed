# Two strips of rows or more: the last has no sum.
s/static_cast<unsigned>(strips), static_cast<unsigned>(tt_ceil_div/static_cast<unsigned>(strips - (strips > 1)), static_cast<unsigned>(tt_ceil_div/
