// SPDX-License-Identifier: Apache-2.0
#include "bifurcation.hpp"

#define QESTIM_KERNELS "bifurcation_steps.hpp"
#include "anneal_targets.hpp"

namespace qestim::annealing {

BifurcationKernel bifurcation_kernel(const Couplings& c, Isa isa) {
    return QESTIM_CHOOSE(isa, choose_bifurcation)(c);
}

}  // namespace qestim::annealing
