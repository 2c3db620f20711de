# Device memory as it comes.
s/return device->memory->zero(device, .*/return TT_OK;/
