# Sums of weights lose what their lower half carries.
s/(amount >> 32) + carry;/(amount >> 32) + 0 * carry;/
