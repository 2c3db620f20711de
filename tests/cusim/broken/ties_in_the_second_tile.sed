# Equal logits are counted anew by each warp.
s/for (int w = 0; w < warp; ++w) before += m->counts\[w\];/before = 0;/
