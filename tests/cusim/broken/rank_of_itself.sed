# A row counts itself among the earlier ones of its id.
s/s.mixed\[j\] < row/s.mixed[j] <= row/
