# A block has 64 rows, whether the GPU has the shared memory or not.
s/launch_by_use<Launch, T, 128, 32>/launch_by_use<Launch, T, 128, 64>/
