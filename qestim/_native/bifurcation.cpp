// SPDX-License-Identifier: Apache-2.0
// Discrete simulated bifurcation: the binding and the groups of reads.
#include "bifurcation.hpp"
#include "reads.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

using namespace qestim;
using namespace qestim::annealing;

namespace {

Couplings make_couplings(const Coefficients& c) {
    Couplings out;
    const double pairs = 0.5 * static_cast<double>(c.n) * static_cast<double>(c.n - 1);
    // A flip costs one full row in bytes, or a scattered step for each neighbour.
    out.dense = c.n > 128 && static_cast<double>(c.m) > 0.04 * pairs;
    const double found = largest_of(c), largest = found > 0 ? found : 1;
    out.unit = common_unit(c, largest);
    double strongest = 0;
    for (int64_t k = 0; k < c.m; ++k)
        strongest = std::max(strongest, std::fabs(c.value[k]));
    out.integer = out.unit > 0 && largest_field(c, out.unit) < 64000 &&
                  strongest <= (out.dense ? 127.0 : 32000.0) * out.unit * (1 + 1e-9);
    if (!out.integer) out.unit = largest;
    if (out.dense) out.rows = dense_rows(c, out.unit, out.integer);
    else out.lists = sparse_rows(c, out.unit, out.integer);
    return out;
}

nb::tuple bifurcate(Vector<double> h, Vector<int32_t> row, Vector<int32_t> col,
                    Vector<double> value, Vector<double> pump, double strength,
                    double dt, double a0, double amplitude, int64_t num_reads,
                    uint64_t seed, std::optional<Matrix<int8_t>> initial, bool keep_best,
                    int num_threads, double time_limit, double target_energy,
                    nb::object interrupt, const std::string& isa_name) {
    ReadsOf call("bifurcate", h, row, col, value, num_reads, initial, time_limit,
                 target_energy, interrupt);
    const Isa isa = choose_isa(isa_name, "bifurcate");
    std::string kernel;
    {
        nb::gil_scoped_release release;
        const Coefficients& c = call.coefficients;
        const int64_t n = c.n;
        check(c, "bifurcate");
        const Couplings couplings = make_couplings(c);
        kernel = std::string(couplings.dense ? "dense-" : "sparse-") +
                 (!couplings.integer ? "float32" : couplings.dense ? "int8" : "int16");
        const double room = 1e-6 * largest_energy(c) / couplings.unit;
        const Ramp ramp{pump.data(), static_cast<int64_t>(pump.shape(0)),
                        strength * couplings.unit, dt, a0, amplitude, seed,
                        initial.has_value(), keep_best,
                        target_energy / couplings.unit + room,
                        [&](const int8_t* s) { return reaches(c, s, target_energy); }};
        const BifurcationKernel run = bifurcation_kernel(couplings, isa);
        // Reads share the rows in the cache; 16 of them fit there beside a strip.
        const int64_t share = (num_reads + num_threads - 1) / std::max(1, num_threads);
        const int64_t width = call.limited() ? 16 : std::clamp<int64_t>(share, 1, 16);
        call.run(width, num_threads, [&](int64_t first, int64_t count, Poll poll) {
            return run(couplings, ramp, first, count, call.spins.data() + first * n,
                       call.reached.data() + first, poll);
        });
    }
    return call.finish(kernel);
}

}  // namespace

void bind_bifurcation(nb::module_& module) {
    module.def("bifurcate", &bifurcate, nb::arg("h"), nb::arg("row"), nb::arg("col"),
               nb::arg("value"), nb::arg("pump"), nb::arg("strength"), nb::arg("dt"),
               nb::arg("a0"), nb::arg("amplitude"), nb::arg("num_reads"),
               nb::arg("seed"), nb::arg("initial") = nb::none(),
               nb::arg("keep_best") = true, nb::arg("num_threads") = 1,
               nb::arg("time_limit") = 0.0,
               nb::arg("target_energy") = -std::numeric_limits<double>::infinity(),
               nb::arg("interrupt") = nb::none(), nb::arg("isa") = "",
               "Discrete simulated bifurcation; see _fallback/_bifurcation.py.");
}
