# Rows of four pieces a lane are taken for rows of three.
s/forward_held<T, 4>}/forward_held<T, 3>}/
