# A shape's numbers of texts are not looked at.
s/a->encoder.seqs == b->encoder.seqs &&//
s/a->decoder.seqs == b->decoder.seqs &&//
