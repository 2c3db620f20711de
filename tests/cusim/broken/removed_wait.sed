# Tiles behind the first are read while they are still on their way.
/void next_tile/,/^}/s/wait_for_copies<0>();/;/
