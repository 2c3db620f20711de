// Small matrix products of a warp: D[16, 8] += A[16, 16] B[16, 8], in the layout of the tensor cores'
// m16n8k16.
//
// With g = lane / 4 and t = lane % 4 a lane holds, as pairs along k of A and B and along n of D,
//   A: rows g and g + 8 of columns 2t, 2t + 1, then the same rows of columns 2t + 8, 2t + 9
//   B: column g of rows 2t, 2t + 1, then of rows 2t + 8, 2t + 9
//   D: row g, then row g + 8, of columns 2t, 2t + 1
// bf16 goes to the tensor cores; fp32 (for parity) is multiplied in full precision, elements coming by
// shuffles. Two D of neighbouring columns, converted to T, are one A: so the product of a product needs no
// memory.
#ifndef TT_KERNELS_CUDA_MMA_CUH
#define TT_KERNELS_CUDA_MMA_CUH

#include "kernels/cuda/kernel.cuh"

template <class T> struct pair_of;
template <> struct pair_of<float> { float low, high; };
template <> struct pair_of<bf16> { uint32_t bits; };

template <class T> struct fragment_a { pair_of<T> v[4]; };
template <class T> struct fragment_b { pair_of<T> v[2]; };

template <class T> __device__ __forceinline__ pair_of<T> make_pair(float low, float high);
template <> __device__ __forceinline__ pair_of<float> make_pair<float>(float low, float high) {
    return {low, high};
}
template <> __device__ __forceinline__ pair_of<bf16> make_pair<bf16>(float low, float high) {
    return {pack2(low, high)};
}

// Two neighbouring elements, the first at an even place.
static __device__ __forceinline__ pair_of<float> load_pair(const float *p) {
    const float2 x = *reinterpret_cast<const float2 *>(p);
    return {x.x, x.y};
}
static __device__ __forceinline__ pair_of<bf16> load_pair(const bf16 *p) {
    return {*reinterpret_cast<const uint32_t *>(p)};
}
static __device__ __forceinline__ pair_of<float> join(float low, float high) {
    return {low, high};
}
static __device__ __forceinline__ pair_of<bf16> join(bf16 low, bf16 high) {
    return {static_cast<uint32_t>(__bfloat16_as_ushort(low)) |
            static_cast<uint32_t>(__bfloat16_as_ushort(high)) << 16};
}

// A from rows row0 .. row0 + 15 and columns k0 .. k0 + 15 of a tile in shared memory.
template <class T>
__device__ __forceinline__ fragment_a<T> load_a(const T *tile, int ld, int row0, int k0, int lane) {
    const T *first = tile + (row0 + lane / 4) * ld + k0 + 2 * (lane % 4);
    return {
        {load_pair(first), load_pair(first + 8 * ld), load_pair(first + 8), load_pair(first + 8 * ld + 8)}};
}

// A from the transpose: A[i, k] = tile[k0 + k, row0 + i].
template <class T>
__device__ __forceinline__ fragment_a<T> load_a_columns(const T *tile, int ld, int row0, int k0, int lane) {
    const T *first = tile + (k0 + 2 * (lane % 4)) * ld + row0 + lane / 4;
    return {{join(first[0], first[ld]), join(first[8], first[ld + 8]), join(first[8 * ld], first[9 * ld]),
        join(first[8 * ld + 8], first[9 * ld + 8])}};
}

// B[k, n] = tile[n0 + n, k0 + k].
template <class T>
__device__ __forceinline__ fragment_b<T> load_b(const T *tile, int ld, int k0, int n0, int lane) {
    const T *first = tile + (n0 + lane / 4) * ld + k0 + 2 * (lane % 4);
    return {{load_pair(first), load_pair(first + 8)}};
}

// B[k, n] = tile[k0 + k, n0 + n].
template <class T>
__device__ __forceinline__ fragment_b<T> load_b_rows(const T *tile, int ld, int k0, int n0, int lane) {
    const T *first = tile + (k0 + 2 * (lane % 4)) * ld + n0 + lane / 4;
    return {{join(first[0], first[ld]), join(first[8 * ld], first[9 * ld])}};
}

// Two of these: columns n0 .. n0 + 7 and n0 + 8 .. n0 + 15.
template <class T> struct fragment_b2 { fragment_b<T> v[2]; };
template <class T>
__device__ __forceinline__ fragment_b2<T> load_b2(const T *tile, int ld, int k0, int n0, int lane) {
    return {{load_b(tile, ld, k0, n0, lane), load_b(tile, ld, k0, n0 + 8, lane)}};
}
template <class T>
__device__ __forceinline__ fragment_b2<T> load_b2_rows(const T *tile, int ld, int k0, int n0, int lane) {
    return {{load_b_rows(tile, ld, k0, n0, lane), load_b_rows(tile, ld, k0, n0 + 8, lane)}};
}

#ifndef TT_CUSIM
// bf16 by ldmatrix, which reads four matrices of 8 x 8: lanes 8i .. 8i + 7 name the rows of matrix i, of 16
// aligned bytes each, and every lane receives its two elements of each; with .trans, of the transposed
// matrices.
template <bool TRANSPOSED>
__device__ __forceinline__ void load_matrices(
    const bf16 *row, uint32_t &a, uint32_t &b, uint32_t &c, uint32_t &d) {
    const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    if (TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                     : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                     : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                     : "r"(address)
                     : "memory");
}
template <>
__device__ __forceinline__ fragment_a<bf16> load_a<bf16>(
    const bf16 *tile, int ld, int row0, int k0, int lane) {
    fragment_a<bf16> a;
    load_matrices<false>(tile + (row0 + lane % 16) * ld + k0 + lane / 16 * 8, a.v[0].bits, a.v[1].bits,
        a.v[2].bits, a.v[3].bits);
    return a;
}
template <>
__device__ __forceinline__ fragment_a<bf16> load_a_columns<bf16>(
    const bf16 *tile, int ld, int row0, int k0, int lane) {
    fragment_a<bf16> a;
    load_matrices<true>(tile + (k0 + lane % 8 + lane / 16 * 8) * ld + row0 + lane / 8 % 2 * 8, a.v[0].bits,
        a.v[1].bits, a.v[2].bits, a.v[3].bits);
    return a;
}
template <>
__device__ __forceinline__ fragment_b2<bf16> load_b2<bf16>(
    const bf16 *tile, int ld, int k0, int n0, int lane) {
    fragment_b2<bf16> b;
    load_matrices<false>(tile + (n0 + lane % 8 + lane / 16 * 8) * ld + k0 + lane / 8 % 2 * 8,
        b.v[0].v[0].bits, b.v[0].v[1].bits, b.v[1].v[0].bits, b.v[1].v[1].bits);
    return b;
}
template <>
__device__ __forceinline__ fragment_b2<bf16> load_b2_rows<bf16>(
    const bf16 *tile, int ld, int k0, int n0, int lane) {
    fragment_b2<bf16> b;
    load_matrices<true>(tile + (k0 + lane % 16) * ld + n0 + lane / 16 * 8, b.v[0].v[0].bits, b.v[0].v[1].bits,
        b.v[1].v[0].bits, b.v[1].v[1].bits);
    return b;
}
#endif

// A made of D[16, 0 .. 7] and D[16, 8 .. 15].
template <class T>
__device__ __forceinline__ fragment_a<T> as_a(const float (&left)[4], const float (&right)[4]) {
    return {{make_pair<T>(left[0], left[1]), make_pair<T>(left[2], left[3]), make_pair<T>(right[0], right[1]),
        make_pair<T>(right[2], right[3])}};
}

// A matrix of 8 x 8 of which lane (g, t) has elements 2t and 2t + 1 of row g: the same of its transpose.
static __device__ __forceinline__ uint32_t transposed(uint32_t two, int lane) {
#ifdef TT_CUSIM
    const int from = lane % 4 * 8 + lane / 8;
    const uint32_t low = __shfl_sync(TT_ALL_LANES, two, from),
                   high = __shfl_sync(TT_ALL_LANES, two, from + 4);
    return __byte_perm(low, high, lane / 4 % 2 ? 0x7632 : 0x5410);
#else
    (void)lane;
    uint32_t out;
    asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;\n" : "=r"(out) : "r"(two));
    return out;
#endif
}

// fp32 on any device: lane (g, t) collects rows g and g + 8 of A and columns 2t and 2t + 1 of B. The loop
// stays a loop: unrolled, kernels of dozens of products take minutes to compile.
static __device__ __forceinline__ void mma_by_shuffles(
    float (&d)[4], const fragment_a<float> &a, const fragment_b<float> &b, int lane) {
    const int row = lane / 4 * 4, column = lane % 4 * 8;
#pragma unroll 1
    for (int k = 0; k < 16; ++k) {
        const bool odd = k % 2, right = k >= 8;
        const int from = k % 8 / 2;
        const pair_of<float> low = right ? a.v[2] : a.v[0], high = right ? a.v[3] : a.v[1],
                             mine = right ? b.v[1] : b.v[0];
        const float a0 = __shfl_sync(TT_ALL_LANES, odd ? low.high : low.low, row + from);
        const float a1 = __shfl_sync(TT_ALL_LANES, odd ? high.high : high.low, row + from);
        const float b0 = __shfl_sync(TT_ALL_LANES, odd ? mine.high : mine.low, column + from);
        const float b1 = __shfl_sync(TT_ALL_LANES, odd ? mine.high : mine.low, column + 4 + from);
        d[0] += a0 * b0, d[1] += a0 * b1, d[2] += a1 * b0, d[3] += a1 * b1;
    }
}

#ifdef TT_CUSIM
#include "tests/cusim/mma.h"
#else
static __device__ __forceinline__ void mma(
    float (&d)[4], const fragment_a<float> &a, const fragment_b<float> &b, int lane) {
    mma_by_shuffles(d, a, b, lane);
}
static __device__ __forceinline__ void mma(
    float (&d)[4], const fragment_a<bf16> &a, const fragment_b<bf16> &b, int lane) {
    (void)lane;
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a.v[0].bits), "r"(a.v[1].bits), "r"(a.v[2].bits), "r"(a.v[3].bits), "r"(b.v[0].bits),
        "r"(b.v[1].bits));
}
#endif

#endif
