// SPDX-License-Identifier: Apache-2.0
// The Python module: each source file binds its own kernels.
#include "common.hpp"

void bind_anneal(nb::module_&);
void bind_tempering(nb::module_&);
void bind_exact(nb::module_&);
void bind_convert(nb::module_&);
void bind_cardinality(nb::module_&);
void bind_bifurcation(nb::module_&);
void bind_cim(nb::module_&);
void bind_overlap(nb::module_&);

static const char* instruction_set() {
#ifdef QESTIM_X86_TARGETS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return "avx512";
    if (__builtin_cpu_supports("avx2")) return "avx2";
#endif
    return "baseline";
}

NB_MODULE(_kernels, module) {
    module.doc() = "Compiled kernels of qestim; call them through qestim._native.";
    module.def("instruction_set", &instruction_set,
               "Name of the instruction set that the kernels use on this machine.");
    bind_anneal(module);
    bind_tempering(module);
    bind_exact(module);
    bind_convert(module);
    bind_cardinality(module);
    bind_bifurcation(module);
    bind_cim(module);
    bind_overlap(module);
}
