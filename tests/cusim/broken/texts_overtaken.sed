# Texts are replaced before all threads know which go on.
/kept\[0\] = choose_slots/{n
s/__syncthreads();//
}
