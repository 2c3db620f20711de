# Of more than 32 strips only the first 32 are added.
s/s < strips; s += WARP/s < strips \&\& s < WARP; s += WARP/
