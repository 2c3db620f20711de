# What was recorded for some number of steps is replayed for another.
s/a->steps == b->steps &&//
