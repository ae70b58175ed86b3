// SPDX-License-Identifier: Apache-2.0
#include "replicas.hpp"

namespace qestim {
namespace {

template <class F>
QESTIM_INLINE void sparse_sweep(const SparseSweep<F>& work) {
    typedef typename Eight<F>::type Lanes;
    const Couplings<F>& m = *work.model;
    Lanes* spins = reinterpret_cast<Lanes*>(work.spins);
    const f64x8* factor = reinterpret_cast<const f64x8*>(work.factor);
    f64x8* energy = reinterpret_cast<f64x8*>(work.energy);
    f64x8 uniform[2][2];
    Random8 random[2] = {work.random[0], work.random[1]};
    f64x8 total[2] = {energy[0], energy[1]};
    for (int i = 0; i < m.n; ++i) {
        if (i % 2 == 0)
            for (int b = 0; b < 2; ++b) random[b].next(uniform[b][0], uniform[b][1]);
        Lanes field[2] = {Lanes{} + m.h[i], Lanes{} + m.h[i]};
        for (int k = m.start[i]; k < m.start[i + 1]; ++k) {
            const Lanes* s = spins + 2 * static_cast<size_t>(m.neighbour[k]);
            field[0] += m.value[k] * s[0];
            field[1] += m.value[k] * s[1];
        }
        for (int b = 0; b < 2; ++b) {
            f64x8 f, change;
            i64x8 up;
            Eight<F>::real(field[b], f);
            heat_bath<Eight<F>::bounded>(f, factor[b], uniform[b][i % 2], up);
            Lanes& spin = spins[2 * static_cast<size_t>(i) + b];
            Lanes next;
            Eight<F>::sign(up, next);
            const Lanes step = next - spin;
            Eight<F>::real(step, change);
            total[b] += f * change;
            spin = next;
        }
    }
    for (int b = 0; b < 2; ++b) {
        work.random[b] = random[b];
        energy[b] = total[b];
    }
}

template <class F>
QESTIM_INLINE void dense_sweep(const DenseSweep<F>& work) {
    const int64_t padded = static_cast<int64_t>(work.padded);
    // A spin is +1 where its field is below a logistic number of scale 1/(2 beta).
    for (int r = 0; r < work.replicas; ++r) {
        F* thresholds = work.thresholds + r * work.stride;
        const f64x8 scale = f64x8{} + work.scale[r];
        const f64x8 limit = f64x8{} + 2147483000.0;
        Random8 random = work.random[r];
        for (int64_t i = 0; i < work.n; i += 16) {
            f64x8 uniform[2], t;
            random.next(uniform[0], uniform[1]);
            for (int b = 0; b < 2; ++b) {
                logit(uniform[b], t);
                t = t * scale;
                if (std::is_same<F, int32_t>::value) {
                    t = t > limit ? limit : t;
                    t = t < -limit ? -limit : t;
                }
                typedef typename Eight<F>::type Lanes;
                *reinterpret_cast<Lanes*>(thresholds + i + 8 * b) =
                    __builtin_convertvector(t, Lanes);
            }
        }
        work.random[r] = random;
    }
    // A block of 16 spins is decided with the corner of its couplings alone; then all
    // of its flips are added to the fields in one pass. No branch depends on a draw.
    typedef typename Eight<F>::wide Wide;
    constexpr int kWides = 16 * sizeof(F) / sizeof(Wide);
    const int replicas = work.replicas;
    for (int64_t first = 0; first < work.n; first += 16) {
        const F* rows = work.rows + first * padded;
        const int spins = static_cast<int>(std::min<int64_t>(16, work.n - first));
        alignas(64) F field[8][16], threshold[8][16];
        unsigned before[8], after[8] = {};
        for (int r = 0; r < replicas; ++r) {
            std::memcpy(field[r], work.fields + r * work.stride + first, 16 * sizeof(F));
            std::memcpy(threshold[r], work.thresholds + r * work.stride + first,
                        16 * sizeof(F));
            before[r] = work.spins[(r * padded + first) / 16];
        }
        for (int i = 0; i < spins; ++i) {
            // What to add for a spin that falls, stays or rises.
            Wide step[3][kWides];
            const Wide* corner = reinterpret_cast<const Wide*>(rows + i * padded + first);
            for (int w = 0; w < kWides; ++w) {
                step[0][w] = -corner[w];
                step[1][w] = Wide{};
                step[2][w] = corner[w];
            }
            for (int r = 0; r < replicas; ++r) {
                const int up = field[r][i] < threshold[r][i];
                after[r] |= static_cast<unsigned>(up) << i;
                const int kind = 1 + up - static_cast<int>(before[r] >> i & 1);
                Wide* fields = reinterpret_cast<Wide*>(field[r]);
                for (int w = 0; w < kWides; ++w) fields[w] += step[kind][w];
            }
        }
        for (int r = 0; r < replicas; ++r) {
            work.spins[(r * padded + first) / 16] = static_cast<uint16_t>(after[r]);
            const F* flipped[2][16];
            int flips[2] = {};
            for (int down = 0; down < 2; ++down) {
                unsigned bits = down ? before[r] & ~after[r] : after[r] & ~before[r];
                for (; bits; bits &= bits - 1)
                    flipped[down][flips[down]++] = rows + __builtin_ctz(bits) * padded;
            }
            if (flips[0] + flips[1] == 0) continue;
            F* fields = work.fields + r * work.stride;
            constexpr int kPass = 4;  // sums that stay in registers
            for (int64_t j = 0; j < padded; j += kPass * sizeof(Wide) / sizeof(F)) {
                Wide sum[kPass];
                Wide* here = reinterpret_cast<Wide*>(fields + j);
                for (int w = 0; w < kPass; ++w) sum[w] = here[w];
                for (int k = 0; k < flips[0]; ++k) {
                    const Wide* row = reinterpret_cast<const Wide*>(flipped[0][k] + j);
                    for (int w = 0; w < kPass; ++w) sum[w] += row[w];
                }
                for (int k = 0; k < flips[1]; ++k) {
                    const Wide* row = reinterpret_cast<const Wide*>(flipped[1][k] + j);
                    for (int w = 0; w < kPass; ++w) sum[w] -= row[w];
                }
                for (int w = 0; w < kPass; ++w) here[w] = sum[w];
            }
        }
    }
    if (!work.energy) return;
    for (int r = 0; r < replicas; ++r) {
        const F* fields = work.fields + r * work.stride;
        const uint16_t* words = work.spins + r * padded / 16;
        typedef typename Eight<F>::type Lanes;
        const i64x8 bit = {1, 2, 4, 8, 16, 32, 64, 128};
        f64x8 lane = {};
        for (int i = 0; i < work.n; i += 8) {
            const int64_t word = words[i / 16] >> (i % 16);
            const i64x8 down = ((i64x8{} + word) & bit) == 0;
            f64x8 field, bias;
            Eight<F>::real(*reinterpret_cast<const Lanes*>(fields + i), field);
            Eight<F>::real(*reinterpret_cast<const Lanes*>(work.bias + i), bias);
            lane += (f64x8)((i64x8)(field + bias) ^ (down & kSign));
        }
        work.energy[r] = 0.5 * (((lane[0] + lane[4]) + (lane[1] + lane[5])) +
                                ((lane[2] + lane[6]) + (lane[3] + lane[7])));
    }
}

}  // namespace

QESTIM_CLONES void sweep(const SparseSweep<int32_t>& work) { sparse_sweep(work); }
QESTIM_CLONES void sweep(const SparseSweep<double>& work) { sparse_sweep(work); }
QESTIM_CLONES void sweep(const DenseSweep<int32_t>& work) { dense_sweep(work); }
QESTIM_CLONES void sweep(const DenseSweep<double>& work) { dense_sweep(work); }

}  // namespace qestim
