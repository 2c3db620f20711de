# Rows of eight fours a lane are taken for rows of six.
s/forward_held<T, 8>}/forward_held<T, 6>}/
