# One piece too many.
s/if (i >= static_cast<uint32_t>(rows) \* pieces)/if (i > static_cast<uint32_t>(rows) * pieces)/
