# A product takes the library's choice for other distances between the result's rows.
s/a->ldc == b->ldc && //
