# 16-byte loads from rows that begin anywhere.
s/ld_from % chunk == 0 &&/true \&\&/
s/(reinterpret_cast<uintptr_t>(to).*% 16 == 0/true/
