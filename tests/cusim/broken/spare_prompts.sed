# Rows that fill up a step make up prompts that go on.
s/for (int i = 0; i < n; ++i) host_row(p, TT_STEP_LEFT)\[i\] = run->steps;/for (int i = 0; i < rows; ++i) host_row(p, TT_STEP_LEFT)[i] = run->steps;/
