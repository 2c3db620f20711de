# A row is read before its copy has arrived.
s/wait_for_copies<1>();//
