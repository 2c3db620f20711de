# Of equal sums the later text's comes first.
s/a\.parent < b\.parent : a\.token < b\.token/a.parent > b.parent : a.token < b.token/
