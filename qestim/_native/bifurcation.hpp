// SPDX-License-Identifier: Apache-2.0
// Discrete simulated bifurcation: what the binding (bifurcation.cpp) and its kernels
// (bifurcation_steps.hpp, once for each instruction set) share.
#pragma once

#include "anneal_model.hpp"

#include <functional>

namespace qestim::annealing {

// The coefficients in units of `unit`, as full rows or as compressed ones.
struct Couplings {
    bool dense = false, integer = false;
    double unit = 1;
    DenseModel rows;
    SparseModel lists;
    int64_t size() const { return dense ? rows.n : lists.n; }
};

struct Ramp {
    const double* pump;  // a(t), one a step
    int64_t num_steps;
    double strength;     // c0 times the unit of the couplings
    double dt, a0, amplitude;
    uint64_t seed;
    bool given, keep_best;
    double target;       // in units, with room for rounding; -inf: none
    std::function<bool(const int8_t*)> reaches;  // the exact test
};

// Runs reads first .. first + count - 1; `spins` holds their signs at the start where
// they are given, and their answers afterwards. Returns whether it came to the end,
// which is also where a read gets down to the target: `reached` then marks it.
using BifurcationKernel = bool (*)(const Couplings&, const Ramp&, int64_t first,
                                   int64_t count, int8_t* spins, char* reached, Poll);

BifurcationKernel bifurcation_kernel(const Couplings&, Isa);

}  // namespace qestim::annealing
