// SPDX-License-Identifier: Apache-2.0
// Change of vartype and energies of many reads.
#include "common.hpp"

#include <memory>

namespace qestim {
namespace {

nb::tuple binary_to_spin(Vector<double> linear, Vector<int32_t> row,
                         Vector<int32_t> col, Vector<double> quadratic) {
    const size_t n = linear.shape(0), m = quadratic.shape(0);
    std::vector<double> h(n), value(m);
    double offset = 0;
    for (size_t i = 0; i < n; ++i) {
        h[i] = linear.data()[i] / 2;
        offset += h[i];
    }
    for (size_t k = 0; k < m; ++k) {
        const double quarter = quadratic.data()[k] / 4;
        value[k] = quarter;
        h[row.data()[k]] += quarter;
        h[col.data()[k]] += quarter;
        offset += quarter;
    }
    return nb::make_tuple(to_numpy(std::move(h), {n}), to_numpy(std::move(value), {m}),
                          offset);
}

constexpr int kLanes = 32;

// Energies of 32 reads: every coupling is read once and serves all of them. The field
// of a run of couplings with the same row is summed before it meets that row's spins.
QESTIM_CLONES void lane_energies(const double* h, const int32_t* row,
                                 const int32_t* col, const double* value, int64_t n,
                                 int64_t m, const float* spins, double* out) {
    double energy[kLanes] = {};
    for (int64_t i = 0; i < n; ++i) {
        const float* s = spins + i * kLanes;
        for (int r = 0; r < kLanes; ++r) energy[r] += h[i] * s[r];
    }
    for (int64_t k = 0; k < m;) {
        const int32_t i = row[k];
        double field[kLanes] = {};
        for (; k < m && row[k] == i; ++k) {
            const float* s = spins + int64_t{col[k]} * kLanes;
            const double w = value[k];
            for (int r = 0; r < kLanes; ++r) field[r] += w * s[r];
        }
        const float* s = spins + int64_t{i} * kLanes;
        for (int r = 0; r < kLanes; ++r) energy[r] += field[r] * s[r];
    }
    for (int r = 0; r < kLanes; ++r) out[r] = energy[r];
}

nb::object energies(Vector<double> h, Vector<int32_t> row, Vector<int32_t> col,
                    Vector<double> value, Matrix<int8_t> spins, int num_threads) {
    const int64_t n = h.shape(0), m = value.shape(0), num_reads = spins.shape(0);
    const int64_t groups = (num_reads + kLanes - 1) / kLanes;
    std::vector<double> result(groups * kLanes);
    Control control(0);
    {
        nb::gil_scoped_release release;
        parallel_groups(groups, num_threads, control, [&](int64_t group) {
            std::unique_ptr<float[]> lanes(new float[n * kLanes]());
            const int64_t first = group * kLanes;
            const int64_t count = std::min<int64_t>(kLanes, num_reads - first);
            for (int64_t r = 0; r < count; ++r) {
                const int8_t* s = spins.data() + (first + r) * n;
                for (int64_t i = 0; i < n; ++i) lanes[i * kLanes + r] = s[i];
            }
            lane_energies(h.data(), row.data(), col.data(), value.data(), n, m,
                          lanes.get(), result.data() + first);
            control.should_stop();
        });
    }
    control.rethrow();
    result.resize(num_reads);
    return to_numpy(std::move(result), {static_cast<size_t>(num_reads)});
}

}  // namespace
}  // namespace qestim

void bind_convert(nb::module_& module) {
    using namespace nb::literals;
    module.def("binary_to_spin", &qestim::binary_to_spin, "linear"_a, "row"_a, "col"_a,
               "quadratic"_a, "Rewrite a model of bits for spins: (h, value, offset).");
    module.def("energies", &qestim::energies, "h"_a, "row"_a, "col"_a, "value"_a,
               "spins"_a, "num_threads"_a, "Energies of many reads, without offset.");
}
