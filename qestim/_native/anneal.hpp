// SPDX-License-Identifier: Apache-2.0
// Simulated annealing: what the binding (anneal.cpp) and its kernels share.
#pragma once

#include "common.hpp"

#include <cmath>
#include <cstring>
#include <memory>

namespace qestim::annealing {

enum class Isa { baseline, avx2, avx512 };

// Memory aligned for the widest vectors, zeroed.
template <class T>
class Buffer {
  public:
    explicit Buffer(size_t size = 0)
        : raw_(new char[size * sizeof(T) + 64]()),
          data_(reinterpret_cast<T*>(
              (reinterpret_cast<uintptr_t>(raw_.get()) + 63) & ~uintptr_t{63})) {}
    T* data() { return data_; }
    const T* data() const { return data_; }
    T& operator[](size_t i) { return data_[i]; }
    const T& operator[](size_t i) const { return data_[i]; }

  private:
    std::unique_ptr<char[]> raw_;
    T* data_;
};

struct Schedule {
    const double* betas;  // one a sweep, per unit of the model's coefficients
    int64_t num_sweeps;
    uint64_t seed;
    bool gibbs, random_order;
};

// When a group of reads has to stop before its end.
struct Poll {
    Control& control;
    const std::atomic<int64_t>& last_read;  // reads after this one are not wanted
    int64_t first;
    bool operator()() { return control.should_stop() || first > last_read.load(); }
};

// What an integer model says about one spin. With integer coefficients the local field
// g = h_i + sum_j J_ij s_j is odd or even whatever the spins, so g = 2 f + parity and
// the kernels keep f: it moves by J_ij when j flips, in half the range of g.
struct SpinRange {
    int16_t parity;       // 0 or 1
    int16_t low, high;    // bounds of f s for parity 0, of the same rounded for 1
};

// Compressed rows; integers where `integer`, else the coefficients over `scale`.
// The positive couplings of a row come first: [begin, middle), then [middle, end).
struct SparseModel {
    int64_t n = 0;
    std::vector<int64_t> begin, middle;  // n + 1 and n
    std::vector<int32_t> neighbour;
    std::vector<int16_t> weight;         // integer models
    std::vector<float> weight_f;         // others
    std::vector<int32_t> h;
    std::vector<float> h_f;
    std::vector<SpinRange> range;
    bool unit = false;                   // every coupling is +1 or -1
};

// Full rows, padded to blocks of 64 spins.
struct DenseModel {
    int64_t n = 0, blocks = 0, stride = 0;
    Buffer<int8_t> rows;                 // integer models, |J| <= 127
    Buffer<float> rows_f;                // others: 2 J
    std::vector<int32_t> h;
    std::vector<float> h_f;
    Buffer<int16_t> negate;              // -1 for parity 0, 0 for parity 1
    Buffer<float> half;                  // parity / 2
    int largest = 1;                     // max |J|
};

// Complete graphs with couplings +1 and -1: a bit a coupling, set for +1 and on the
// diagonal, in rows of `stride` words. All fields lie in -2^(planes-1) .. 2^(planes-1)-1.
struct BitModel {
    int64_t n = 0, blocks = 0, stride = 0;
    int planes = 0;
    Buffer<uint64_t> rows;               // 64 a block, one more; zeros from n on
    Buffer<uint64_t> corner;             // of row i, the word that holds column i
    Buffer<uint64_t> parity;             // of each spin, a bit
    Buffer<float> half;                  // parity / 2
    std::vector<int32_t> h;
    const uint64_t* zeros() const { return rows.data() + n * stride; }
};

// Anneals reads first .. first + count - 1, whose spins (+-1) are the rows of `spins`.
// Returns whether it came to the end. `width`: reads side by side, count <= width.
using SparseKernel = bool (*)(const SparseModel&, const Schedule&, int64_t first,
                              int64_t count, int width, int8_t* spins, Poll);
using DenseKernel = bool (*)(const DenseModel&, const Schedule&, int64_t first,
                             int64_t count, int8_t* spins, Poll);
using BitKernel = bool (*)(const BitModel&, const Schedule&, int64_t first,
                           int64_t count, int8_t* spins, Poll);

SparseKernel sparse_int8(Isa);
SparseKernel sparse_int16(Isa);
SparseKernel sparse_float(Isa);
DenseKernel dense_int8(Isa);
DenseKernel dense_float(Isa);
BitKernel dense_bits(Isa);  // in the order of the spins; null where it would be slow

// The order of the spins in one sweep: the same for every read.
inline void shuffle_order(std::vector<int32_t>& order, uint64_t seed, int64_t sweep) {
    uint64_t state = read_state(seed, 0x6f72646572ULL + static_cast<uint64_t>(sweep));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    for (size_t i = order.size(); i > 1; --i) {
        const uint64_t draw = splitmix64(state) >> 32;
        std::swap(order[i - 1], order[(draw * i) >> 32]);
    }
}

}  // namespace qestim::annealing
