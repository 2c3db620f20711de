# Layouts of the first product serve all that share its choice.
s/if (c->a \&\& same_shape(&c->laid_out, s)) return/if (c->a) return/
