# A shape's longest texts are not looked at.
s/a->encoder.longest == b->encoder.longest &&//
s/a->decoder.longest == b->decoder.longest &&//
