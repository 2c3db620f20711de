# A product remembers the mask with which its shape was first met.
/TT_LT(show_mask(c, p));$/d
