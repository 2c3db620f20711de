# The library is told that all matrices are aligned to 16 bytes.
s/return address & (~address + 1);/return address > 0 ? 16 : 1;/
