# Code that finds no memory is not loaded once more.
s/return error == cudaErrorMemoryAllocation \&\& /return false \&\& error == cudaErrorMemoryAllocation \&\& /
