# Of the sums along diagonals some are not written.
s/if (i + t <= M) sums/if (i + t <= M \&\& i < 4) sums/
