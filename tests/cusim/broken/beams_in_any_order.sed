# Of equal sums the later text's comes first.
s/return b\.text < a\.text ? b : a;/return b.text > a.text ? b : a;/
