// SPDX-License-Identifier: Apache-2.0
// Includes QESTIM_KERNELS once for each instruction set, in namespaces baseline, avx2
// and avx512. The kernels need vectors as wide as the machine's, hence one copy each
// instead of target_clones; all copies give the same bits.
// No include guard: a source file includes this once, after defining QESTIM_KERNELS.

#ifdef QESTIM_X86_TARGETS
#include <immintrin.h>
#endif

namespace qestim::annealing {

namespace baseline {
#define QESTIM_TARGET
#define QESTIM_WIDTH 16
#include "anneal_vectors.hpp"
#include QESTIM_KERNELS
#undef QESTIM_FORCE
#undef QESTIM_TARGET
#undef QESTIM_WIDTH
}  // namespace baseline

#ifdef QESTIM_X86_TARGETS
namespace avx2 {
#define QESTIM_TARGET __attribute__((target("avx2,fma")))
#define QESTIM_WIDTH 32
#include "anneal_vectors.hpp"
#include QESTIM_KERNELS
#undef QESTIM_FORCE
#undef QESTIM_TARGET
#undef QESTIM_WIDTH
}  // namespace avx2

namespace avx512 {
#define QESTIM_TARGET __attribute__((target("arch=x86-64-v4")))
#define QESTIM_WIDTH 64
#include "anneal_vectors.hpp"
#include QESTIM_KERNELS
#undef QESTIM_FORCE
#undef QESTIM_TARGET
#undef QESTIM_WIDTH
}  // namespace avx512
#define QESTIM_CHOOSE(ISA, NAME)                            \
    ((ISA) == Isa::avx512   ? &avx512::NAME                 \
     : (ISA) == Isa::avx2   ? &avx2::NAME                   \
                            : &baseline::NAME)
#else
#define QESTIM_CHOOSE(ISA, NAME) ((void)(ISA), &baseline::NAME)
#endif

}  // namespace qestim::annealing
