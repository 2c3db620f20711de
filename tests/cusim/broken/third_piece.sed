# A run of one id that goes on for more than one piece more loses the rest.
s/piece \* PIECE < p.n && p.id_at/piece * PIECE < p.n \&\& piece < static_cast<int>(blockIdx.x) + 2 \&\& p.id_at/
