# Three elements count as four.
s/const bool whole = i + 4 <= p.n/const bool whole = i + 3 <= p.n/
