# Slots that begin at the same key are a run, however far they read.
s/length != length_before/length_before < 0/
