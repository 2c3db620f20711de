# Groups of lanes that read other keys are not all put together.
s/for (int step = LANES; step < WARP; step \*= 2)/for (int step = 2 * LANES; step < WARP; step *= 2)/
