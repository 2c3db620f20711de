# Where fewer have a weight than are to be kept, only the largest are.
s/: WARP - 1)) return/: 0)) return/
