# Counts of ids are added to what scratch memory held.
/tt_device_zero(device, s.count,/d
