# Fillers do not count for the longest sequence.
s/? longest_sequence(offsets, seqs, step) : 0/? longest_sequence(offsets, seqs, 0) : 0/
