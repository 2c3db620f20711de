# Keys behind the query are not hidden.
s/causal && x > 0/causal \&\& x > 99999/
