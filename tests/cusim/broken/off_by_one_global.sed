# One group of four too many.
s/if (i >= static_cast<int64_t>(rows) \* fours)/if (i > static_cast<int64_t>(rows) * fours)/
