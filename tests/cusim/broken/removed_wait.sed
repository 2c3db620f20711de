# Tiles behind the first are read while they are still on their way.
/fetch(key0, 0);/,$s/wait_for_copies<0>();/;/
