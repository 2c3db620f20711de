# All steps of a run draw by the first one's random numbers.
s/uniform + (size_t)i \* (size_t)rows, token/uniform, token/
