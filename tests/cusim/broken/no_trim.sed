# Memory that the pool keeps is not given back.
/tt_cuda_make_room(state->stream), "computing"/d
