# A second child goes on in its parent's slot, too.
s/goes_on\[parent\] ? MOVES : parent;/parent;/
