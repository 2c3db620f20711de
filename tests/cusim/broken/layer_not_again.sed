# The last layer but one is not computed again: backward reads the activations of the one after it.
s/l == layers - 1) return TT_OK/l >= layers - 2) return TT_OK/
