# Where fewer have a weight than are to be kept, one of them is sought all the same.
s/if (COUNT \&\& above/if (false \&\& above/
