// The warp's matrix products on CPUs: the last lane to come makes all lanes' results. Included by
// kernels/cuda/mma.cuh, whose layout it reads.
#ifndef TT_CUSIM_MMA_H
#define TT_CUSIM_MMA_H

namespace cusim {

CUSIM_UNCHECKED static inline float first_of(const pair_of<float> &p) {
    return p.low;
}
CUSIM_UNCHECKED static inline float second_of(const pair_of<float> &p) {
    return p.high;
}
CUSIM_UNCHECKED static inline float first_of(const pair_of<bf16> &p) {
    return __uint_as_float(p.bits << 16);
}
CUSIM_UNCHECKED static inline float second_of(const pair_of<bf16> &p) {
    return __uint_as_float(p.bits & 0xffff0000u);
}

// d += a b, in the order of k; machine.cc
void add_product(float (&d)[16][8], const float (&a)[16][16], const float (&b)[16][8]);

template <class T> struct product {
    const fragment_a<T> *a;
    const fragment_b<T> *b;
    float *d;
};

template <class T> CUSIM_UNCHECKED void multiply(void *const lanes[32]) {
    float a[16][16], b[16][8], d[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const auto *p = static_cast<const product<T> *>(lanes[lane]);
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; ++i) {
            a[g + i % 2 * 8][2 * t + i / 2 * 8] = first_of(p->a->v[i]);
            a[g + i % 2 * 8][2 * t + i / 2 * 8 + 1] = second_of(p->a->v[i]);
        }
        for (int i = 0; i < 2; ++i) {
            b[2 * t + 8 * i][g] = first_of(p->b->v[i]);
            b[2 * t + 8 * i + 1][g] = second_of(p->b->v[i]);
        }
    }
    for (int i = 0; i < 32 * 4; ++i)
        d[i / 4 / 4 + i % 4 / 2 * 8][2 * (i / 4 % 4) + i % 2] =
            static_cast<const product<T> *>(lanes[i / 4])->d[i % 4];
    add_product(d, a, b);
    for (int i = 0; i < 32 * 4; ++i)
        static_cast<const product<T> *>(lanes[i / 4])->d[i % 4] =
            d[i / 4 / 4 + i % 4 / 2 * 8][2 * (i / 4 % 4) + i % 2];
}

} // namespace cusim

template <class T>
void mma(float (&d)[4], const fragment_a<T> &a, const fragment_b<T> &b, int lane,
    const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    (void)lane;
    cusim::product<T> mine = {&a, &b, d};
    cusim_warp("mma", 0xffffffffu, &mine, cusim::multiply<T>, file, line);
}

#endif
