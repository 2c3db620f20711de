# Fillers do not count for the longest sequence.
s/? longest(offsets, seqs, step) : 0/? longest(offsets, seqs, 0) : 0/
