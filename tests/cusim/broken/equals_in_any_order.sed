# Of equal logits that are ordered one by one, those with higher ids come first.
s/m->id\[j\] < id/m->id[j] > id/
