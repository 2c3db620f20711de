# The gradient passes where the activation is 0.
s/a\[i\] <= 0 ? 0/a[i] < 0 ? 0/
