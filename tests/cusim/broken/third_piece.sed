# A run of one id that goes on for more than one piece more loses the rest.
s/piece \* PIECE < p.n && ids/piece * PIECE < p.n \&\& piece < static_cast<int>(blockIdx.x) + 2 \&\& ids/
