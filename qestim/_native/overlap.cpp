// SPDX-License-Identifier: Apache-2.0
// What every two rows have in common: sums of the smaller of two entries.
#include "common.hpp"

namespace qestim {
namespace {

constexpr int kRows = 4;     // rows that share one pass over another row
constexpr int kLanes = 16;   // partial sums, the same in every instruction set
constexpr int kBlock = 512;  // entries summed in single precision

// out[r] = sum_k min(tile[r * width + k], other[k]); width is a multiple of kBlock.
QESTIM_CLONES void smaller_sums(const float* tile, const float* other, int64_t width,
                                double* out) {
    double total[kRows] = {};
    for (int64_t first = 0; first < width; first += kBlock) {
        float part[kRows][kLanes] = {};
        for (int64_t k = first; k < first + kBlock; k += kLanes)
            for (int r = 0; r < kRows; ++r) {
                const float* row = tile + r * width;
                for (int l = 0; l < kLanes; ++l) {
                    const float a = row[k + l], b = other[k + l];
                    part[r][l] += a < b ? a : b;
                }
            }
        for (int r = 0; r < kRows; ++r)
            for (int l = 0; l < kLanes; ++l) total[r] += part[r][l];
    }
    for (int r = 0; r < kRows; ++r) out[r] = total[r];
}

nb::object overlaps(Matrix<float> rows, int num_threads) {
    const int64_t n = rows.shape(0), m = rows.shape(1);
    const int64_t width = (m + kBlock - 1) / kBlock * kBlock;
    const int64_t tiles = (n + kRows - 1) / kRows;
    std::vector<float> padded(tiles * kRows * width);
    std::vector<double> result(n * n);
    Control control(0);
    {
        nb::gil_scoped_release release;
        for (int64_t i = 0; i < n; ++i)
            std::copy_n(rows.data() + i * m, m, padded.data() + i * width);
        parallel_groups(tiles, num_threads, control, [&](int64_t t) {
            const float* tile = padded.data() + t * kRows * width;
            const int64_t count = std::min<int64_t>(kRows, n - t * kRows);
            double sums[kRows];
            for (int64_t j = t * kRows; j < n; ++j) {
                if (control.should_stop()) return;
                smaller_sums(tile, padded.data() + j * width, width, sums);
                for (int64_t r = 0; r < count; ++r) {
                    const int64_t i = t * kRows + r;
                    result[i * n + j] = result[j * n + i] = sums[r];
                }
            }
        });
    }
    control.rethrow();
    return to_numpy(std::move(result), {size_t(n), size_t(n)});
}

}  // namespace
}  // namespace qestim

void bind_overlap(nb::module_& module) {
    using namespace nb::literals;
    module.def("overlaps", &qestim::overlaps, "rows"_a, "num_threads"_a,
               "Sum the smaller of two entries, of every two rows.");
}
