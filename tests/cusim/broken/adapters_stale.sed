# W' is added to, instead of being made anew from W.
/TT_TRY(tt_device_copy(device, w, a->base/d
