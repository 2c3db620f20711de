# Sums of a tile of ids are overwritten while others still read them.
/void scan(/,/^}/{
    /left += mine/{
        n
        n
        s/__syncthreads();//
    }
}
