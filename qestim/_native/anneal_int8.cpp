// SPDX-License-Identifier: Apache-2.0
#include "anneal.hpp"

#define QESTIM_KERNELS "anneal_int8.hpp"
#include "anneal_targets.hpp"

namespace qestim::annealing {
SparseKernel sparse_int8(Isa isa) { return QESTIM_CHOOSE(isa, anneal_int8); }
}  // namespace qestim::annealing
