// SPDX-License-Identifier: Apache-2.0
#include "anneal.hpp"

#define QESTIM_KERNELS "anneal_dense.hpp"
#include "anneal_targets.hpp"

namespace qestim::annealing {
DenseKernel dense_int8(Isa isa) { return QESTIM_CHOOSE(isa, anneal_dense<int8_t>); }
DenseKernel dense_float(Isa isa) { return QESTIM_CHOOSE(isa, anneal_dense<float>); }
}  // namespace qestim::annealing
