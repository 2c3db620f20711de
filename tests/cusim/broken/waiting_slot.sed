# A slot that has ended stays where it is, and reads as much of its source as before.
s/p.left\[s\] = left;/p.left[s] = left; if (left == 0) return;/
