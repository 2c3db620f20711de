# Rows of eight fours a lane are taken for rows of six.
s/forward_held<T, 8, true>/forward_held<T, 6, true>/
