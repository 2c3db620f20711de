# Forward for short sequences has the threads of the kernel for long ones, which are half as many.
s/constexpr int threads = forward_shape<T, D, ROWS, USE, SHORT>::threads;/constexpr int threads = forward_shape<T, D, ROWS, USE, false>::threads;/
