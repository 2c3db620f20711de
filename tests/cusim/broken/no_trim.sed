# Memory that the pool keeps is not given back.
/tt_cuda_trim(state), "computing"/d
