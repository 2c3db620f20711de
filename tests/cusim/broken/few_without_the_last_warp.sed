# The last warp's columns are missing in the sum of squares.
s/i < static_cast<int>(blockDim.x \/ WARP)/i < static_cast<int>(blockDim.x \/ WARP) - 1 + (blockDim.x == WARP)/
