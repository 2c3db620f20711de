# 16-byte loads from rows that begin anywhere.
s/p->ld_from % chunk == 0 &&/true \&\&/
s/(reinterpret_cast<uintptr_t>(p->to).*% 16 == 0/true/
