// SPDX-License-Identifier: Apache-2.0
// Simulated coherent Ising machines and ballistic bifurcation: what the binding
// (cim.cpp) and its kernels (cim_lanes.hpp, once for each instruction set) share.
#pragma once

#include "coefficients.hpp"

#include <functional>

namespace qestim::annealing {

enum class Model { cac, cfc, sfc, mean_field, wigner, ballistic };

// J in float: full, in panels of `height` rows, [panel][column][row in panel]; or
// compressed rows.
struct Feedback {
    int64_t n = 0, padded = 0;
    int height = 1;
    bool dense = false;
    Buffer<float> panels;
    std::vector<int64_t> begin;
    std::vector<int32_t> neighbour;
    std::vector<float> weight;
    std::vector<float> h;
};

// What holds during one step; a row of the caller's schedule.
struct Instant {
    double pump, target, rate, zeta, clip;
};

struct Evolution {
    Model model;
    const Instant* schedule;
    int64_t num_steps;
    double dt, xi, noise, k;  // k: SFC's coupling of the two; ballistic: a0
    double least_error, most_error, first_error, amplitude;
    bool uniform;             // law of the first amplitudes: uniform instead of normal
    bool mean_amplitude;      // fields are scaled by the read's mean |x|
    uint64_t seed;
    bool given, keep_best;
    int64_t interval;         // steps between looks at the energy
    double target;
    std::function<bool(const int8_t*)> reaches;
    const int64_t* moments;   // steps whose amplitudes are recorded, ascending
    int64_t num_moments;
    float* record;            // [read][moment][spin] of the group's reads
};

// Runs reads first .. first + count - 1, `first` being a multiple of the lanes of a
// vector. `spins` holds their signs at the start where they are given, and their answers
// afterwards. Returns whether it came to the end, which is also where a read gets down
// to the target: `reached` then marks it.
using CimKernel = bool (*)(const Feedback&, const Evolution&, int64_t first,
                           int64_t count, int8_t* spins, char* reached, Poll);

CimKernel cim_kernel(Model, Isa);
int cim_lanes(Isa);   // reads in one vector
int cim_height(Isa);  // rows of J in one panel

}  // namespace qestim::annealing
