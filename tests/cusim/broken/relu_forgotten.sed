# Where the library has no ReLU, there is none.
s/c->relu_apart && i < s.batch/false \&\& i < s.batch/
