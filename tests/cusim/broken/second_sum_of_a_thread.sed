# Each thread of the last kernel takes one sum, however many there are.
s/i < first + each \&\& i < n; ++i) sum += x\[i\]/i < first + 1 \&\& i < n; ++i) sum += x[i]/
