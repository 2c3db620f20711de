# Log-probabilities of the second chunk of logits are written over the first.
s/p->logp ? p->logp + first/p->logp ? p->logp/
