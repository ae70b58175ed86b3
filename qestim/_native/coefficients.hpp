// SPDX-License-Identifier: Apache-2.0
// What every kernel of reads does with its arguments: the instruction set, the checks of
// the coefficients, and whether a state reaches the target.
#pragma once

#include "anneal.hpp"

#include <string>

namespace qestim::annealing {

struct Coefficients {
    int64_t n, m;
    const double* h;
    const int32_t *row, *col;
    const double* value;
};

inline Isa best_isa() {
#ifdef QESTIM_X86_TARGETS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return Isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
    return Isa::baseline;
}

inline Isa choose_isa(const std::string& name, const std::string& caller) {
    const Isa best = best_isa();
    if (name.empty()) return best;
    const Isa isa = name == "avx512" ? Isa::avx512
                    : name == "avx2" ? Isa::avx2
                                     : Isa::baseline;
    if ((isa == Isa::baseline && name != "baseline") || isa > best)
        throw nb::value_error(("The 'isa' parameter of " + caller +
                               " must be '' or one of 'baseline', 'avx2' and 'avx512' "
                               "that this machine has. Got '" + name + "' instead.")
                                  .c_str());
    return isa;
}

inline void check(const Coefficients& c, const std::string& caller) {
    for (int64_t i = 0; i < c.n; ++i)
        if (!std::isfinite(c.h[i]))
            throw nb::value_error(
                ("The linear biases passed to " + caller + " must be finite.").c_str());
    for (int64_t k = 0; k < c.m; ++k) {
        if (!std::isfinite(c.value[k]))
            throw nb::value_error(
                ("The couplings passed to " + caller + " must be finite.").c_str());
        const int64_t i = c.row[k], j = c.col[k];
        if (i < 0 || i >= c.n || j < 0 || j >= c.n || i == j)
            throw nb::value_error(("The ends of the couplings passed to " + caller +
                                   " must be two different spins from 0 to n - 1.")
                                      .c_str());
    }
}

// Whether the energy is at or below the target. Sums in another order differ by
// rounding: an energy that equals the target must count as reached.
inline bool reaches(const Coefficients& c, const int8_t* s, double target) {
    double e = 0, size = 0;
    for (int64_t i = 0; i < c.n; ++i) {
        e += c.h[i] * s[i];
        size += std::fabs(c.h[i]);
    }
    for (int64_t k = 0; k < c.m; ++k) {
        e += c.value[k] * (s[c.row[k]] * s[c.col[k]]);
        size += std::fabs(c.value[k]);
    }
    return e <= target + 1e-12 * size;
}

}  // namespace qestim::annealing
