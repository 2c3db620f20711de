# Rows that have ended choose a token, too.
s/if (p.left \&\& p.left\[index\] == 0)/if (p.left \&\& p.left[index] < 0)/
