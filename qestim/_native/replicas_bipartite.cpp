// SPDX-License-Identifier: Apache-2.0
// The sweep over one side of a bipartite model, 64 spins at a time.
#include "replicas.hpp"

namespace qestim {
namespace {

// Sixteen fields times 2 beta log2(e), in single precision.
QESTIM_INLINE void scaled(const int32_t* field, double factor, f32x16& t) {
    i32x16 x;
    std::memcpy(&x, field, sizeof(x));
    t = __builtin_convertvector(x, f32x16) * static_cast<float>(factor);
}
QESTIM_INLINE void scaled(const double* field, double factor, f32x16& t) {
    f32x8 half[2];
    for (int b = 0; b < 2; ++b) {
        f64x8 x;
        std::memcpy(&x, field + 8 * b, sizeof(x));
        half[b] = __builtin_convertvector(x * factor, f32x8);
    }
    std::memcpy(&t, half, sizeof(t));
}

// A bit from each of 64 lanes: lane l of vector q becomes bit 16 q + l.
template <int Quads>
QESTIM_INLINE uint64_t gather_bits(const i32x16* mask) {
    const i32x16 bit = {1 << 0,  1 << 1,  1 << 2,  1 << 3, 1 << 4,  1 << 5,
                        1 << 6,  1 << 7,  1 << 8,  1 << 9, 1 << 10, 1 << 11,
                        1 << 12, 1 << 13, 1 << 14, 1 << 15};
    u64x8 word[2] = {};
    for (int q = 0; q < Quads; ++q)
        word[q / 2] |= (u64x8)(mask[q] & (bit << (16 * (q % 2))));
    const u64x8 all = ((word[0] | (word[0] >> 32)) & 0xffffffffULL) |
                      (word[1] | (word[1] >> 32)) << 32;
    return ((all[0] | all[4]) | (all[1] | all[5])) |
           ((all[2] | all[6]) | (all[3] | all[7]));
}

// The spins that 16 random bits left open, with 53 more of them. (In a function
// of its own, so that it is the same for every instruction set.)
template <class F>
[[gnu::noinline]] uint64_t decide_finely(uint64_t open, const F* field, const uint16_t* coarse,
                       double factor, uint64_t& fine) {
    uint64_t spins = 0;
    for (; open; open &= open - 1) {
        const int i = __builtin_ctzll(open);
        const double rest = (static_cast<double>(splitmix64(fine) >> 11) + 0.5) * 0x1p-53;
        // The low halves of a vector's 32-bit words come 16 lanes before the high ones.
        const double whole = coarse[(i / 32) * 32 + 2 * (i % 16) + (i / 16) % 2];
        const f64x8 uniform = f64x8{} + (whole + rest) * 0x1p-16;
        const f64x8 x = f64x8{} + static_cast<double>(field[i]);
        i64x8 up;
        heat_bath<true>(x, f64x8{} + factor, uniform, up);
        spins |= static_cast<uint64_t>(up[0] & 1) << i;
    }
    return spins;
}

// Fields of up to 64 spins: the bias and one row of the table for each code.
template <class F, int Bits, int Quads>
QESTIM_INLINE void tile_sweep(const TileSweep<F>& work) {
    typedef typename Eight<F>::type Lanes;
    typedef typename Eight<F>::wide Wide;
    constexpr uint64_t kCode = (uint64_t{1} << Bits) - 1;
    constexpr int kWides = Quads * 16 * sizeof(F) / sizeof(Wide);
    constexpr int kSteps = (Quads + 1) / 2;
    const i64x8 bit = {1, 2, 4, 8, 16, 32, 64, 128};
    for (int r = 0; r < work.replicas; ++r) {
        const uint64_t* others = work.others + r * static_cast<size_t>(work.other_stride);
        Wide sum[kWides];
        for (int q = 0; q < kWides; ++q)
            sum[q] = reinterpret_cast<const Wide*>(work.bias)[q];
        const F* rows = work.table;
        for (int t = 0; t < work.other_tiles; ++t) {
            uint64_t word = others[t];
            for (int g = 0; g < work.groups[t]; ++g) {
                const Wide* row = reinterpret_cast<const Wide*>(rows + (word & kCode) * 64);
                for (int q = 0; q < kWides; ++q) sum[q] += row[q];
                word >>= Bits;
                rows += 64 << Bits;
            }
        }
        alignas(64) F field[16 * Quads];
        alignas(64) uint16_t coarse[32 * kSteps];
        std::memcpy(field, sum, sizeof(field));
        const double factor = work.factor[r];
        Random8 random = work.random[r];
        i32x16 up[Quads], unsure[Quads], any = {};
        for (int q = 0; q < Quads; q += 2) {
            u64x8 bits;
            random.next(bits);
            std::memcpy(coarse + 16 * q, &bits, sizeof(bits));
            const i32x16 k[2] = {(i32x16)bits & 0xffff, (i32x16)((u32x16)bits >> 16)};
            for (int b = 0; b < 2 && q + b < Quads; ++b) {
                f32x16 t;
                scaled(field + 16 * (q + b), factor, t);
                quick_heat_bath(t, k[b], up[q + b], unsure[q + b]);
                any |= unsure[q + b];
            }
        }
        work.random[r] = random;
        uint64_t spins = gather_bits<Quads>(up);
        const u64x8 some = (u64x8)any;
        if ((((some[0] | some[4]) | (some[1] | some[5])) |
             ((some[2] | some[6]) | (some[3] | some[7]))) != 0) {
            spins |= decide_finely(gather_bits<Quads>(unsure), field, coarse, factor,
                                   work.fine[r]);
        }
        work.spins[r * static_cast<size_t>(work.stride)] = spins;
        if (!work.energy) continue;
        const F* weights = work.bias_only ? work.bias : field;
        f64x8 energy = {};
        for (int q = 0; q < 2 * Quads; ++q) {
            const i64x8 down = ((i64x8{} + static_cast<int64_t>(spins >> 8 * q)) & bit) == 0;
            f64x8 f;
            Eight<F>::real(*reinterpret_cast<const Lanes*>(weights + 8 * q), f);
            energy += (f64x8)((i64x8)f ^ (down & kSign));
        }
        work.energy[r] += ((energy[0] + energy[4]) + (energy[1] + energy[5])) +
                          ((energy[2] + energy[6]) + (energy[3] + energy[7]));
    }
}

template <class F, int Bits>
QESTIM_INLINE void tile_sweep(const TileSweep<F>& work) {
    switch (work.quads) {
        case 1: return tile_sweep<F, Bits, 1>(work);
        case 2: return tile_sweep<F, Bits, 2>(work);
        case 3: return tile_sweep<F, Bits, 3>(work);
        default: return tile_sweep<F, Bits, 4>(work);
    }
}

template <class F>
QESTIM_INLINE void tile_sweep(const TileSweep<F>& work) {
    if (work.bits == 6) return tile_sweep<F, 6>(work);
    if (work.bits == 5) return tile_sweep<F, 5>(work);
    tile_sweep<F, 4>(work);
}

}  // namespace

QESTIM_CLONES void sweep(const TileSweep<int32_t>& work) { tile_sweep(work); }
QESTIM_CLONES void sweep(const TileSweep<double>& work) { tile_sweep(work); }

}  // namespace qestim
