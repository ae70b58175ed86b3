// SPDX-License-Identifier: Apache-2.0
// Replicas of one Ising model under heat-bath sweeps, in three layouts of one law:
//   SparseReplicas     lanes are 16 replicas, which visit the same spin together
//   DenseReplicas      lanes are the spins of a row, added to the fields after a flip
//   BipartiteReplicas  lanes are the spins of one side; their fields are sums of
//                      tabulated partial sums over 4 to 6 spins of the other side
// Fields are integers of 30 bits where that is exact to 1e-6 in every probability
// (sums then have no rounding and never drift), else double.
#pragma once

#include "heat_bath.hpp"

#include <cmath>
#include <type_traits>

namespace qestim {

constexpr double kLog2E = 1.4426950408889634;

// The model in the units of its fields: F is int32_t or double.
template <class F>
struct Couplings {
    int n = 0;
    double unit = 1;  // energy of one unit of F
    std::vector<F> h, value;
    std::vector<int32_t> start, neighbour;
};

// Eight spins from the bits of a byte.
struct ByteSpins {
    int8_t spin[8];
};
inline const ByteSpins* spins_of_byte() {
    static const std::vector<ByteSpins> bytes = [] {
        std::vector<ByteSpins> all(256);
        for (int x = 0; x < 256; ++x)
            for (int b = 0; b < 8; ++b) all[x].spin[b] = (x >> b) & 1 ? 1 : -1;
        return all;
    }();
    return bytes.data();
}

// ---- the sweeps, one per layout and type of field, cloned per instruction set ----

template <class F>
struct SparseSweep {  // 16 replicas
    const Couplings<F>* model;
    Random8* random;
    const double* factor;
    double* energy;
    F* spins;  // [spin][16]
};
void sweep(const SparseSweep<int32_t>&);
void sweep(const SparseSweep<double>&);

template <class F>
struct DenseSweep {  // at most 8 replicas, 16 spins after 16 spins
    int n, replicas;
    size_t padded, stride;
    const F *rows, *bias;
    Random8* random;
    const double* scale;
    double* energy;  // nullptr where nobody asks
    F *fields, *thresholds;
    uint16_t* spins;  // a bit a spin, a word a block, padded / 16 words a replica
};
void sweep(const DenseSweep<int32_t>&);
void sweep(const DenseSweep<double>&);

template <class F>
struct TileSweep {  // 64 spins of one side in every replica
    int replicas, quads, other_tiles, bits, stride, other_stride;
    const int* groups;  // codes in each tile of the other side
    const F *bias, *table;
    Random8* random;
    uint64_t* fine;  // further bits of a uniform
    const double* factor;
    double* energy;  // nullptr where nobody asks
    bool bias_only;  // count the fields alone in the energy, not the couplings
    uint64_t* spins;
    const uint64_t* others;
};
void sweep(const TileSweep<int32_t>&);
void sweep(const TileSweep<double>&);

template <class F>
class SparseReplicas {
  public:
    SparseReplicas(const Couplings<F>& m, int size)
        : m_(m), size_(size), blocks_((size + 15) / 16), random_(2 * blocks_),
          factor_(16 * blocks_), energy_(16 * blocks_),
          spins_(static_cast<size_t>(blocks_) * m.n * 16) {}

    void seed(int slot, uint64_t state) {
        random_[slot / 8].seed_lane(slot % 8, state);
    }
    void set_spins(int slot, const int8_t* spins) {
        for (int i = 0; i < m_.n; ++i) at(slot, i) = spins[i];
        double energy = 0;
        for (int i = 0; i < m_.n; ++i) {
            double inner = 0;
            for (int k = m_.start[i]; k < m_.start[i + 1]; ++k)
                inner += static_cast<double>(m_.value[k]) * spins[m_.neighbour[k]];
            energy += spins[i] * (m_.h[i] + 0.5 * inner);
        }
        energy_[slot] = energy;
    }
    void get_spins(int slot, int8_t* spins) {
        for (int i = 0; i < m_.n; ++i) spins[i] = static_cast<int8_t>(at(slot, i));
    }
    void set_beta(int slot, double beta) { factor_[slot] = 2 * beta * m_.unit * kLog2E; }
    double energy(int slot) const { return energy_[slot] * m_.unit; }
    void sweep(bool) {
        for (int b = 0; b < blocks_; ++b)
            qestim::sweep(SparseSweep<F>{
                &m_, &random_[2 * b], &factor_[16 * b], &energy_[16 * b],
                &spins_[static_cast<size_t>(b) * m_.n * 16]});
    }

  private:
    F& at(int slot, int i) {
        return spins_[(static_cast<size_t>(slot / 16) * m_.n + i) * 16 + slot % 16];
    }

    const Couplings<F>& m_;
    int size_, blocks_;
    Buffer<Random8> random_;
    Buffer<double> factor_, energy_;
    Buffer<F> spins_;
};

template <class F>
class DenseReplicas {
  public:
    DenseReplicas(const Couplings<F>& m, int size, const Buffer<F>& rows)
        : m_(m), rows_(rows), size_(size), padded_((m.n + 63) / 64 * 64),
          stride_(padded_ + 16), random_(size), scale_(size), energy_(size),
          bias_(padded_), fields_(stride_ * size), thresholds_(stride_ * size),
          spins_(padded_ / 16 * size) {
        std::copy(m.h.begin(), m.h.end(), bias_.data());
    }

    // Twice the couplings, each row padded with zeros.
    static Buffer<F> double_rows(const Couplings<F>& m) {
        const size_t padded = (m.n + 63) / 64 * 64;
        Buffer<F> rows(padded * padded);
        for (int i = 0; i < m.n; ++i)
            for (int k = m.start[i]; k < m.start[i + 1]; ++k)
                rows[i * padded + m.neighbour[k]] += 2 * m.value[k];
        return rows;
    }
    void seed(int slot, uint64_t state) {
        for (int lane = 0; lane < 8; ++lane) random_[slot].seed_lane(lane, state);
    }
    void set_spins(int slot, const int8_t* spins) {
        uint16_t* words = &spins_[slot * padded_ / 16];
        std::fill_n(words, padded_ / 16, uint16_t{0});
        for (int i = 0; i < m_.n; ++i)
            words[i / 16] |= static_cast<uint16_t>((spins[i] > 0) << (i % 16));
        refresh(slot, spins);
    }
    void get_spins(int slot, int8_t* spins) {
        const uint16_t* words = &spins_[slot * padded_ / 16];
        for (int i = 0; i < m_.n; i += 8)
            std::memcpy(spins + i, spins_of_byte()[words[i / 16] >> (i % 16) & 255].spin,
                        std::min(8, m_.n - i));
    }
    void set_beta(int slot, double beta) { scale_[slot] = 0.5 / (beta * m_.unit); }
    double energy(int slot) const { return energy_[slot] * m_.unit; }
    void sweep(bool energy) {
        // Sums of doubles drift; those of integers do not.
        if (std::is_same<F, double>::value && ++sweeps_ % 256 == 0)
            for (int r = 0; r < size_; ++r) {
                std::vector<int8_t> spins(m_.n);
                get_spins(r, spins.data());
                refresh(r, spins.data());
            }
        for (int first = 0; first < size_; first += 8)
            qestim::sweep(DenseSweep<F>{
                m_.n, std::min(8, size_ - first), padded_, stride_, rows_.data(),
                bias_.data(), &random_[first], &scale_[first],
                energy ? &energy_[first] : nullptr, &fields_[first * stride_], &thresholds_[first * stride_],
                &spins_[first * padded_ / 16]});
    }

  private:
    void refresh(int slot, const int8_t* s) {
        for (int i = 0; i < m_.n; ++i) {
            F field = m_.h[i];
            for (int k = m_.start[i]; k < m_.start[i + 1]; ++k)
                field += m_.value[k] * s[m_.neighbour[k]];
            fields_[slot * stride_ + i] = field;
        }
    }

    const Couplings<F>& m_;
    const Buffer<F>& rows_;
    int size_;
    size_t padded_, stride_;
    int64_t sweeps_ = 0;
    Buffer<Random8> random_;
    Buffer<double> scale_, energy_;
    Buffer<F> bias_, fields_, thresholds_;
    Buffer<uint16_t> spins_;
};

// Tables for the fields on one side, in tiles of 64 spins.
template <class F>
struct SideTable {
    int num_spins = 0, tiles = 0, other_tiles = 0, bits = 6;
    int together = 0;  // so many of the first variables are neighbours in the model
    std::vector<int> variables, quads, groups;  // quads: 16s of a tile; groups: of its
    size_t rows = 0;                            // codes as a source
    Buffer<F> bias, table;                      // table[tile][group][code][64]
};

template <class F>
class BipartiteReplicas {
  public:
    using Sides = SideTable<F>[2];

    BipartiteReplicas(const Couplings<F>& m, int size, const Sides& sides)
        : m_(m), sides_(sides), size_(size), random_(size), fine_(size), factor_(size),
          energy_(size) {
        for (int side = 0; side < 2; ++side)
            spins_[side] = Buffer<uint64_t>(
                static_cast<size_t>(std::max(sides[side].tiles, 1)) * size);
    }
    static void tabulate(const Couplings<F>& m, const std::vector<int8_t>& side_of,
                         Sides& sides) {
        std::vector<int> place(m.n);
        for (int i = 0; i < m.n; ++i) {
            place[i] = sides[side_of[i]].num_spins++;
            sides[side_of[i]].variables.push_back(i);
        }
        for (int side = 0; side < 2; ++side) {
            SideTable<F>& t = sides[side];
            const int others = sides[1 - side].num_spins;
            t.bits = others <= 192 ? 6 : others <= 320 ? 5 : 4;
            t.tiles = (t.num_spins + 63) / 64;
            while (t.together < t.num_spins &&
                   t.variables[t.together] == t.variables[0] + t.together)
                ++t.together;
            t.other_tiles = (others + 63) / 64;
            for (int k = 0; k < t.tiles; ++k)
                t.quads.push_back((std::min(64, t.num_spins - 64 * k) + 15) / 16);
        }
        for (int side = 0; side < 2; ++side) {
            SideTable<F>& t = sides[side];
            SideTable<F>& source = sides[1 - side];
            for (int k = 0; k < t.other_tiles; ++k) {
                const int spins = std::min(64, source.num_spins - 64 * k);
                source.groups.push_back((spins + t.bits - 1) / t.bits);
                t.rows += static_cast<size_t>(source.groups.back()) << t.bits;
            }
            t.bias = Buffer<F>(64 * t.tiles);
            t.table = Buffer<F>(64 * t.tiles * t.rows);
            for (int k = 0; k < t.num_spins; ++k) {
                const int i = t.variables[k];
                t.bias[k] = m.h[i];
                F* tile = t.table.data() + (k / 64) * t.rows * 64 + k % 64;
                for (int e = m.start[i]; e < m.start[i + 1]; ++e) {
                    const int other = place[m.neighbour[e]];
                    const int group = (other % 64) / t.bits, bit = other % 64 % t.bits;
                    size_t row = 0;
                    for (int s = 0; s < other / 64; ++s)
                        row += static_cast<size_t>(source.groups[s]) << t.bits;
                    row += static_cast<size_t>(group) << t.bits;
                    for (int code = 0; code < 1 << t.bits; ++code)
                        tile[(row + code) * 64] +=
                            (code >> bit) & 1 ? m.value[e] : -m.value[e];
                }
            }
        }
    }

    void seed(int slot, uint64_t state) {
        for (int lane = 0; lane < 8; ++lane) random_[slot].seed_lane(lane, state);
        fine_[slot] = splitmix64(state);
    }
    void set_spins(int slot, const int8_t* spins) {
        for (int side = 0; side < 2; ++side) {
            const SideTable<F>& t = sides_[side];
            uint64_t* words = word(side, slot);
            std::fill(words, words + t.tiles, 0);
            for (int k = 0; k < t.num_spins; ++k)
                if (spins[t.variables[k]] > 0) words[k / 64] |= uint64_t{1} << (k % 64);
        }
    }
    void get_spins(int slot, int8_t* spins) {
        for (int side = 0; side < 2; ++side) {
            const SideTable<F>& t = sides_[side];
            const uint64_t* words = word(side, slot);
            int k = 0;
            for (; k + 8 <= t.together; k += 8)
                std::memcpy(spins + t.variables[0] + k,
                            spins_of_byte()[words[k / 64] >> (k % 64) & 255].spin, 8);
            for (; k < t.num_spins; ++k)
                spins[t.variables[k]] = words[k / 64] >> (k % 64) & 1 ? 1 : -1;
        }
    }
    void set_beta(int slot, double beta) { factor_[slot] = 2 * beta * m_.unit * kLog2E; }
    double energy(int slot) const { return energy_[slot] * m_.unit; }
    void sweep(bool energy) {
        if (energy) std::fill_n(energy_.data(), size_, 0.0);
        for (int side = 0; side < 2; ++side)
            for (int tile = 0; tile < sides_[side].tiles; ++tile)
                sweep_tile(side, tile, energy);
    }

  private:
    uint64_t* word(int side, int slot) {
        return &spins_[side][static_cast<size_t>(slot) * std::max(sides_[side].tiles, 1)];
    }
    void sweep_tile(int side, int tile, bool energy) {
        const SideTable<F>& t = sides_[side];
        qestim::sweep(TileSweep<F>{
            size_, t.quads[tile], t.other_tiles, t.bits, t.tiles,
            std::max(sides_[1 - side].tiles, 1), sides_[1 - side].groups.data(),
            &t.bias[64 * tile], t.table.data() + tile * t.rows * 64, &random_[0],
            &fine_[0], &factor_[0], energy ? &energy_[0] : nullptr, side == 0,
            &spins_[side][tile], &spins_[1 - side][0]});
    }

    const Couplings<F>& m_;
    const Sides& sides_;
    int size_;
    Buffer<Random8> random_;
    Buffer<uint64_t> fine_;
    Buffer<double> factor_, energy_;
    Buffer<uint64_t> spins_[2];
};

}  // namespace qestim
