// SPDX-License-Identifier: Apache-2.0
// Compiled with contraction: sums of products are one rounding each where the machine
// has the instruction. The lanes of one machine agree to the bit, machines to rounding.
#include "cim.hpp"

#define QESTIM_KERNELS "cim_lanes.hpp"
#include "anneal_targets.hpp"

namespace qestim::annealing {

CimKernel cim_kernel(Model model, Isa isa) {
    return QESTIM_CHOOSE(isa, choose_cim)(model);
}
int cim_lanes(Isa isa) { return QESTIM_CHOOSE(isa, lanes_of_vector)(); }
int cim_height(Isa isa) { return QESTIM_CHOOSE(isa, height_of_panel)(); }

}  // namespace qestim::annealing
