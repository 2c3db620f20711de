# 16-byte copies from rows that begin anywhere.
s/ \&\& reinterpret_cast<uintptr_t>(from) % 16 == 0//
