// SPDX-License-Identifier: Apache-2.0
#include "anneal.hpp"

#define QESTIM_KERNELS "anneal_bits.hpp"
#include "anneal_targets.hpp"

namespace qestim::annealing {
BitKernel dense_bits(Isa isa) {
#ifdef QESTIM_X86_TARGETS
    if (isa == Isa::avx512) return &avx512::anneal_bits;
    if (isa == Isa::avx2) return &avx2::anneal_bits;
#endif
    (void)isa;
    return nullptr;
}
}  // namespace qestim::annealing
