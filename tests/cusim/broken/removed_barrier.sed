# block_sum without its first barrier: sums are read before they are written.
/BLOCK, class N>/,/^}/{
    /partial\[threadIdx.x/{
        n
        s/__syncthreads();//
    }
}
