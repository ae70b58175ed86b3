// SPDX-License-Identifier: Apache-2.0
// Coherent Ising machines and ballistic bifurcation: the binding, the rows of J and the
// groups of reads.
#include "cim.hpp"
#include "reads.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

using namespace qestim;
using namespace qestim::annealing;

namespace {

Model model_of(const std::string& name) {
    if (name == "cac") return Model::cac;
    if (name == "cfc") return Model::cfc;
    if (name == "sfc") return Model::sfc;
    if (name == "mean_field") return Model::mean_field;
    if (name == "wigner") return Model::wigner;
    if (name == "ballistic") return Model::ballistic;
    throw nb::value_error(
        ("The 'model' parameter of evolve must be one of 'cac', 'cfc', 'sfc', "
         "'mean_field', 'wigner' and 'ballistic'. Got '" + name + "' instead.").c_str());
}

Feedback make_feedback(const Coefficients& c, int height, const std::string& form) {
    Feedback out;
    const double pairs = 0.5 * static_cast<double>(c.n) * static_cast<double>(c.n - 1);
    out.n = c.n;
    out.height = height;
    out.padded = (c.n + height - 1) / height * height;
    out.dense = form == "dense" ||
                (form.empty() && c.n > 32 && static_cast<double>(c.m) > 0.1 * pairs);
    out.h.resize(static_cast<size_t>(c.n));
    for (int64_t i = 0; i < c.n; ++i)
        out.h[static_cast<size_t>(i)] = static_cast<float>(c.h[i]);
    if (out.dense) {
        out.panels = Buffer<float>(static_cast<size_t>(out.padded * c.n));
        const auto add = [&](int64_t i, int64_t j, double w) {
            out.panels[static_cast<size_t>((i / height * c.n + j) * height + i % height)] +=
                static_cast<float>(w);
        };
        for (int64_t k = 0; k < c.m; ++k) {
            add(c.row[k], c.col[k], c.value[k]);
            add(c.col[k], c.row[k], c.value[k]);
        }
        return out;
    }
    out.begin.assign(static_cast<size_t>(c.n + 1), 0);
    for (int64_t k = 0; k < c.m; ++k) {
        ++out.begin[static_cast<size_t>(c.row[k] + 1)];
        ++out.begin[static_cast<size_t>(c.col[k] + 1)];
    }
    for (size_t i = 0; i < static_cast<size_t>(c.n); ++i) out.begin[i + 1] += out.begin[i];
    std::vector<int64_t> next(out.begin.begin(), out.begin.end() - 1);
    out.neighbour.resize(static_cast<size_t>(2 * c.m));
    out.weight.resize(static_cast<size_t>(2 * c.m));
    for (int64_t k = 0; k < c.m; ++k)
        for (int side = 0; side < 2; ++side) {
            const int64_t e = next[static_cast<size_t>(side ? c.col[k] : c.row[k])]++;
            out.neighbour[static_cast<size_t>(e)] = side ? c.row[k] : c.col[k];
            out.weight[static_cast<size_t>(e)] = static_cast<float>(c.value[k]);
        }
    return out;
}

nb::tuple evolve(Vector<double> h, Vector<int32_t> row, Vector<int32_t> col,
                 Vector<double> value, const std::string& model, Matrix<double> schedule,
                 double dt, double xi, double noise, double k, double least_error,
                 double most_error, double first_error, double amplitude, bool uniform,
                 bool mean_amplitude, int64_t interval, Vector<int64_t> moments,
                 int64_t num_reads, uint64_t seed,
                 std::optional<Matrix<int8_t>> initial, bool keep_best, int num_threads,
                 double time_limit, double target_energy, nb::object interrupt,
                 const std::string& isa_name, const std::string& form) {
    ReadsOf call("evolve", h, row, col, value, num_reads, initial, time_limit,
                 target_energy, interrupt);
    const Isa isa = choose_isa(isa_name, "evolve");
    if (schedule.shape(1) != 5)
        throw nb::value_error("schedule must have the shape (num_steps, 5).");
    const Coefficients& c = call.coefficients;
    const int64_t steps = static_cast<int64_t>(schedule.shape(0));
    const int64_t records = static_cast<int64_t>(moments.shape(0));
    Evolution base{model_of(model),
                   reinterpret_cast<const Instant*>(schedule.data()),
                   steps, dt, xi, noise, k, least_error, most_error, first_error,
                   amplitude, uniform, mean_amplitude, seed, initial.has_value(),
                   keep_best, std::max<int64_t>(1, interval), target_energy,
                   [&](const int8_t* s) { return reaches(c, s, target_energy); },
                   moments.data(), records, nullptr};
    std::vector<float> record(static_cast<size_t>(num_reads * records * c.n));
    std::string kernel;
    {
        nb::gil_scoped_release release;
        check(c, "evolve");
        base.target += 1e-6 * largest_energy(c);
        const Feedback feedback = make_feedback(c, cim_height(isa), form);
        kernel = feedback.dense ? "dense-float32" : "sparse-float32";
        const CimKernel run = cim_kernel(base.model, isa);
        // A few tiles of two vectors share a panel of J in the cache. A sparse J is
        // small: there the amplitudes of one vector at a time are to stay in it.
        const int64_t lanes = cim_lanes(isa), tile = 2 * lanes;
        const int64_t share = (num_reads + num_threads - 1) / std::max(1, num_threads);
        const int64_t tiles =
            call.limited() ? 1 : std::clamp<int64_t>((share + tile - 1) / tile, 1, 4);
        const int64_t width = feedback.dense ? tiles * tile : lanes;
        call.run(width, num_threads, [&](int64_t first, int64_t count, Poll poll) {
            Evolution mine = base;
            mine.record = record.data() + first * records * c.n;
            return run(feedback, mine, first, count, call.spins.data() + first * c.n,
                       call.reached.data() + first, poll);
        });
    }
    nb::tuple answer = call.finish(kernel);
    return nb::make_tuple(answer[0], answer[1], answer[2], answer[3],
                          to_numpy(std::move(record),
                                   {static_cast<size_t>(num_reads),
                                    static_cast<size_t>(records),
                                    static_cast<size_t>(c.n)}));
}

}  // namespace

void bind_cim(nb::module_& module) {
    module.def("evolve", &evolve, nb::arg("h"), nb::arg("row"), nb::arg("col"),
               nb::arg("value"), nb::arg("model"), nb::arg("schedule"), nb::arg("dt"),
               nb::arg("xi"), nb::arg("noise"), nb::arg("k"), nb::arg("least_error"),
               nb::arg("most_error"), nb::arg("first_error"), nb::arg("amplitude"),
               nb::arg("uniform"), nb::arg("mean_amplitude"), nb::arg("interval"),
               nb::arg("moments"), nb::arg("num_reads"), nb::arg("seed"),
               nb::arg("initial") = nb::none(), nb::arg("keep_best") = true,
               nb::arg("num_threads") = 1, nb::arg("time_limit") = 0.0,
               nb::arg("target_energy") = -std::numeric_limits<double>::infinity(),
               nb::arg("interrupt") = nb::none(), nb::arg("isa") = "",
               nb::arg("form") = "",
               "Coherent Ising machines and ballistic bifurcation; see "
               "_fallback/_cim.py.");
}
