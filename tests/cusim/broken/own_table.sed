# A slot that goes on from another keeps its own rows.
s/parent != own \&\& j < before/parent == own \&\& j < before/
