# All layers of a batch of weight gradients keep their dy in the same place.
s/(size_t)(l % stack->group\[weight\]) \* one/0 * one/
