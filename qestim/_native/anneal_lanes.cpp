// SPDX-License-Identifier: Apache-2.0
#include "anneal.hpp"

#define QESTIM_KERNELS "anneal_lanes.hpp"
#include "anneal_targets.hpp"

namespace qestim::annealing {
SparseKernel sparse_int16(Isa isa) {
    return QESTIM_CHOOSE(isa, anneal_lanes<int16_t>);
}
SparseKernel sparse_float(Isa isa) { return QESTIM_CHOOSE(isa, anneal_lanes<float>); }
}  // namespace qestim::annealing
