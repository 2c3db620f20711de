# Tiles are read while they are still on their way.
0,/wait_for_copies<1>();/s//;/
