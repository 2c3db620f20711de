# Products that find no memory for their code are not made once more.
s/if (!without_memory(status) || device->recording) return status;/if (status != CUBLAS_STATUS_NOT_INITIALIZED) return status;/
