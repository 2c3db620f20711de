# All adapters of a layer write v to the first one's columns.
/\.c = tt_operand_at(device, l->v, (size_t)column)/s/(size_t)column/0/
