# One row too many.
s/if (row >= static_cast<uint32_t>(rows)) return false;/if (row > static_cast<uint32_t>(rows)) return false;/
