// SPDX-License-Identifier: Apache-2.0
// A call for reads that run in groups side by side: the answers, which of them are
// complete, and how the call ends. Of a group that ends because a read reached the
// target only such reads count; the groups after it are not wanted.
#pragma once

#include "coefficients.hpp"

#include <nanobind/stl/optional.h>

#include <optional>

namespace qestim::annealing {

// The largest |E| that could be.
inline double largest_energy(const Coefficients& c) {
    double sum = 0;
    for (int64_t i = 0; i < c.n; ++i) sum += std::fabs(c.h[i]);
    for (int64_t k = 0; k < c.m; ++k) sum += std::fabs(c.value[k]);
    return sum;
}

class ReadsOf {
  public:
    Coefficients coefficients;
    std::vector<int8_t> spins;
    std::vector<char> completed, reached;

    ReadsOf(const char* name, const Vector<double>& h, const Vector<int32_t>& row,
            const Vector<int32_t>& col, const Vector<double>& value, int64_t num_reads,
            const std::optional<Matrix<int8_t>>& initial, double time_limit,
            double target, nb::object interrupt)
        : coefficients{static_cast<int64_t>(h.shape(0)),
                       static_cast<int64_t>(value.shape(0)),
                       h.data(), row.data(), col.data(), value.data()},
          reads_(num_reads), target_(target > -std::numeric_limits<double>::infinity()),
          limited_(time_limit > 0 || target_), control_(time_limit, std::move(interrupt)) {
        const int64_t n = coefficients.n;
        if (row.shape(0) != value.shape(0) || col.shape(0) != value.shape(0))
            throw nb::value_error("row, col and value must have the same length.");
        if (num_reads < 0) throw nb::value_error("num_reads must not be negative.");
        if (n == 0)
            throw nb::value_error(
                (std::string(name) + " needs at least one spin.").c_str());
        if (initial && (static_cast<int64_t>(initial->shape(0)) != num_reads ||
                        static_cast<int64_t>(initial->shape(1)) != n))
            throw nb::value_error("initial must have the shape (num_reads, n).");
        spins.assign(static_cast<size_t>(num_reads * n), 1);
        if (initial) std::copy_n(initial->data(), num_reads * n, spins.data());
        completed.assign(static_cast<size_t>(num_reads), 0);
        reached.assign(static_cast<size_t>(num_reads), 0);
    }
    bool limited() const { return limited_; }

    // Runs groups of `width` reads: work(first, count, poll) says whether it got to its
    // end. Call it with the GIL released.
    template <class Work>
    void run(int64_t width, int num_threads, Work&& work) {
        const int64_t groups = (reads_ + width - 1) / width;
        parallel_groups(groups, std::max(1, num_threads), control_, [&](int64_t group) {
            const int64_t first = group * width;
            const int64_t count = std::min(width, reads_ - first);
            if (first > last_.load() || !work(first, count, Poll{control_, last_, first}))
                return;
            const auto begin = reached.begin() + first, end = begin + count;
            const bool hit = std::find(begin, end, 1) != end;
            for (int64_t r = first; r < first + count; ++r)
                completed[static_cast<size_t>(r)] =
                    !hit || reached[static_cast<size_t>(r)];
            if (!hit) return;
            int64_t known = last_.load();
            const int64_t mine = first + count - 1;
            while (mine < known && !last_.compare_exchange_weak(known, mine)) {
            }
        });
    }

    // With the GIL held: (spins, completed, kernel, reason).
    nb::tuple finish(const std::string& kernel) {
        control_.rethrow();
        const int64_t last = last_.load();
        for (int64_t r = last; r < reads_ - 1; ++r)
            completed[static_cast<size_t>(r + 1)] = 0;
        const bool all = std::all_of(completed.begin(), completed.end(),
                                     [](char c) { return c != 0; });
        const char* reason = last < std::numeric_limits<int64_t>::max() ? "target_energy"
                             : all                                      ? ""
                             : control_.expired()                       ? "time_limit"
                                                                        : "interrupt";
        const size_t reads = static_cast<size_t>(reads_);
        nb::object done = to_numpy(std::move(completed), {reads});
        return nb::make_tuple(
            to_numpy(std::move(spins), {reads, static_cast<size_t>(coefficients.n)}),
            done.attr("astype")("bool"), kernel, reason);
    }

  private:
    int64_t reads_;
    bool target_, limited_;
    Control control_;
    std::atomic<int64_t> last_{std::numeric_limits<int64_t>::max()};
};

}  // namespace qestim::annealing
