// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set (see anneal_targets.hpp), inside a namespace
// of its own: vectors, random numbers and logarithms of the annealing kernels.
// QESTIM_TARGET is the function attribute, QESTIM_WIDTH the bytes of a vector.

#define QESTIM_FORCE QESTIM_TARGET inline __attribute__((always_inline))

template <int Bytes>
struct Pack;
#define QESTIM_PACK(BYTES)                                         \
    template <>                                                    \
    struct Pack<BYTES> {                                           \
        typedef int8_t i8 __attribute__((vector_size(BYTES)));     \
        typedef int16_t i16 __attribute__((vector_size(BYTES)));   \
        typedef uint16_t u16 __attribute__((vector_size(BYTES)));  \
        typedef int32_t i32 __attribute__((vector_size(BYTES)));   \
        typedef uint32_t u32 __attribute__((vector_size(BYTES)));  \
        typedef uint64_t u64 __attribute__((vector_size(BYTES)));  \
        typedef float f32 __attribute__((vector_size(BYTES)));     \
    };
QESTIM_PACK(16)
QESTIM_PACK(32)
QESTIM_PACK(64)
#undef QESTIM_PACK

// Whether any bit is set: the one place where the compiler needs to be told how.
template <int Bytes>
QESTIM_FORCE bool any(const typename Pack<Bytes>::u64& x) {
#if QESTIM_WIDTH == 64
    if constexpr (Bytes == 64) return _mm512_test_epi64_mask((__m512i)x, (__m512i)x);
#endif
#if QESTIM_WIDTH >= 32
    if constexpr (Bytes == 32) return !_mm256_testz_si256((__m256i)x, (__m256i)x);
#endif
    uint64_t all = 0;
    for (int k = 0; k < Bytes / 8; ++k) all |= x[k];
    return all != 0;
}

// xoroshiro128+ (Blackman and Vigna 2018, doi 10.1145/3460772), one generator in each
// 64-bit element. Element e of group g is seeded by (seed, stream g + e) alone.
template <int Bytes, int Count>
struct Random {
    using U64 = typename Pack<Bytes>::u64;
    U64 a[Count], b[Count];

    void seed(uint64_t seed, uint64_t stream) {
        for (int v = 0; v < Count; ++v)
            for (int e = 0; e < Bytes / 8; ++e) {
                uint64_t state = read_state(seed, stream++);
                a[v][e] = splitmix64(state);
                b[v][e] = splitmix64(state) | 1;
            }
    }
    QESTIM_FORCE U64 next(int v) {
        const U64 sum = a[v] + b[v];
        const U64 x = a[v] ^ b[v];
        a[v] = ((a[v] << 24) | (a[v] >> 40)) ^ x ^ (x << 16);
        b[v] = (x << 37) | (x >> 27);
        return sum;
    }
};

// -ln(u) for u = i / 2^31, i > 0. The cubic leaves an error below 1.6e-5 in log2.
template <int Bytes>
QESTIM_FORCE typename Pack<Bytes>::f32 minus_log(const typename Pack<Bytes>::i32& i) {
    using F = typename Pack<Bytes>::f32;
    using I = typename Pack<Bytes>::i32;
    const I bits = (I)__builtin_convertvector(i, F);
    const F exponent = __builtin_convertvector(bits >> 23, F);
    const F m = (F)((bits & 0x7fffff) | 0x3f800000) - 1.0f;
    const F low = 0.441916823387146f - 0.2671778202056885f * m;
    const F high = 0.14842355251312256f - 0.04514729604125023f * m;
    const F correction = (m - m * m) * (low + (m * m) * high);
    return ((158.0f - exponent) - (m + correction)) * 0.6931471805599453f;
}

// t with P(s g >= -t / (2 beta)) = the probability to accept: -ln(u), or for heat bath
// ln((1 - u) / u).
template <int Bytes, bool Gibbs>
QESTIM_FORCE typename Pack<Bytes>::f32 threshold(const typename Pack<Bytes>::u64& r) {
    using I = typename Pack<Bytes>::i32;
    using U = typename Pack<Bytes>::u32;
    const I i = (I)((U)r >> 1) | 1;
    if constexpr (Gibbs)
        return minus_log<Bytes>(i) - minus_log<Bytes>((I)(0x80000000u - (U)i));
    return minus_log<Bytes>(i);
}

// For 64 spins, the s f (see SpinRange) at or below which each stays; cut off at +-most.
template <int Bytes, bool Gibbs>
QESTIM_FORCE void draw_limits(typename Pack<Bytes>::i16* limit,
                              Random<Bytes, 256 / Bytes>& random, const float* half,
                              float scale, float most) {
    using F = typename Pack<Bytes>::f32;
    using I = typename Pack<Bytes>::i32;
    constexpr int kWords = 256 / Bytes;
    I deep[kWords];
    for (int w = 0; w < kWords; ++w) {
        F x = scale * threshold<Bytes, Gibbs>(random.next(w)) +
              reinterpret_cast<const F*>(half)[w];
        x = x < F{} + most ? x : F{} + most;
        if constexpr (Gibbs) x = x > F{} - most ? x : F{} - most;
        I d = __builtin_convertvector(x, I);
        if constexpr (Gibbs) d += (I)(__builtin_convertvector(d, F) > x);
        deep[w] = ~d;
    }
    alignas(64) int32_t wide[64];
    alignas(64) int16_t narrow[64];
    for (int w = 0; w < kWords; ++w) reinterpret_cast<I*>(wide)[w] = deep[w];
    for (int k = 0; k < 64; ++k) narrow[k] = static_cast<int16_t>(wide[k]);
    for (int p = 0; p < kWords / 2; ++p)
        limit[p] = reinterpret_cast<typename Pack<Bytes>::i16*>(narrow)[p];
}
