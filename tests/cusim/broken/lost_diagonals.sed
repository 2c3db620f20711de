# Of the sums along diagonals some are not written.
s/if (i % 4 == t) sums/if (i % 4 == t \&\& i < 4) sums/
