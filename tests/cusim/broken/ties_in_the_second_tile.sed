# Equal logits are counted anew in each 512 ids.
s/before += m->ranks\[w\];/before = 0;/
