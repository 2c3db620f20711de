# A tile of ids is overwritten while others still read it.
/void place(/,/^}/{
    /rank +=/{
        n
        s/__syncthreads();//
    }
}
