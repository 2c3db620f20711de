# Where the library has no ReLU and no masks, there are none.
s/c->epilogue_apart && i < s.batch/false \&\& i < s.batch/
