# Bisection goes to the lower half of the bit patterns and forgets what is in the upper one.
s/\*above += sum;/(void)sum;/
