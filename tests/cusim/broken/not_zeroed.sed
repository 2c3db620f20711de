# Device memory as it comes.
/cudaMemsetAsync(memory, 0, size, tt_stream(device)), what/d
