# Prefix sums begin anew with each 1,024 ids: rows get places that others have.
s/before += total\[w\];/before = 0;/
