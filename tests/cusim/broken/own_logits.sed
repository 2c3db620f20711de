# Each draw reads a row of its own.
s/p.from ? p.from\[index\] : index/index/
