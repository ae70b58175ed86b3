// SPDX-License-Identifier: Apache-2.0
// Simulated annealing: the binding, the choice of the kernel, and the groups of reads.
#include "anneal_model.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <functional>
#include <string>

using namespace qestim;
using namespace qestim::annealing;

namespace {

void random_spins(int8_t* spins, int64_t n, uint64_t seed, uint64_t read) {
    uint64_t state = read_state(seed ^ 0x696e697469616cULL, read), bits = 0;
    for (int64_t i = 0; i < n; ++i) {
        if (i % 64 == 0) bits = splitmix64(state);
        spins[i] = (bits >> (i % 64)) & 1 ? 1 : -1;
    }
}

// A kernel bound to its rows.
struct Job {
    const char* kernel;
    std::function<bool(const Schedule&, int64_t, int64_t, int8_t*, Poll)> run;
    int64_t width;  // reads a group
};

// The width of the groups that keeps the threads busiest: a narrower group costs less
// but more a read.
int lanes_for(int64_t reads, int threads, std::initializer_list<int> widths) {
    int best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (const int width : widths) {
        const int64_t groups = (reads + width - 1) / width;
        const double rounds = static_cast<double>((groups + threads - 1) / threads);
        const double cost = rounds * (0.5 * *widths.begin() + width);
        if (cost < least) least = cost, best = width;
    }
    return best;
}

Job make_job(const Coefficients& c, double largest, double& unit, int64_t reads,
             int threads, bool limited, bool random_order, Isa isa) {
    const double pairs = 0.5 * static_cast<double>(c.n) * static_cast<double>(c.n - 1);
    const bool dense = c.n > 128 && static_cast<double>(c.m) > 0.1 * pairs;
    unit = common_unit(c, largest);
    const double reach = unit > 0 ? largest_field(c, unit) : 0;
    double strongest = 0;
    for (int64_t k = 0; k < c.m; ++k)
        strongest = std::max(strongest, std::fabs(c.value[k]));
    const bool integer = unit > 0 && reach < 64000 &&
                         (dense ? strongest <= 127.5 * unit : strongest < 32000 * unit);
    if (!integer) unit = largest;
    const auto sparse = [&](const char* name, SparseKernel kernel,
                            std::initializer_list<int> widths) {
        const int width = lanes_for(reads, threads, widths);
        auto rows = std::make_shared<SparseModel>(sparse_rows(c, unit, integer));
        return Job{name,
                   [=](const Schedule& s, int64_t first, int64_t count, int8_t* spins,
                       Poll poll) {
                       return kernel(*rows, s, first, count, width, spins, poll);
                   },
                   width};
    };
    if (dense) {
        // More reads share a row while it is in the cache, but end together.
        const int64_t width =
            std::clamp<int64_t>((reads + threads - 1) / threads, 1, limited ? 8 : 64);
        if (const BitKernel kernel = dense_bits(isa); kernel && integer && !random_order &&
                                                      reach < 60000 &&
                                                      is_complete(c, unit)) {
            auto rows = std::make_shared<BitModel>(bit_rows(c, unit, reach));
            return Job{"dense-bits",
                       [=](const Schedule& s, int64_t first, int64_t count,
                           int8_t* spins, Poll poll) {
                           return kernel(*rows, s, first, count, spins, poll);
                       },
                       width};
        }
        const DenseKernel kernel = integer ? dense_int8(isa) : dense_float(isa);
        auto rows = std::make_shared<DenseModel>(dense_rows(c, unit, integer));
        return Job{integer ? "dense-int8" : "dense-float32",
                   [=](const Schedule& s, int64_t first, int64_t count, int8_t* spins,
                       Poll poll) { return kernel(*rows, s, first, count, spins, poll); },
                   width};
    }
    if (!integer) return sparse("sparse-float32", sparse_float(isa), {32, 16, 8});
    if (reach > 253) return sparse("sparse-int16", sparse_int16(isa), {32, 16, 8});
    return sparse("sparse-int8", sparse_int8(isa), {64, 32, 16});
}

nb::tuple anneal(Vector<double> h, Vector<int32_t> row, Vector<int32_t> col,
                 Vector<double> value, Vector<double> betas, int64_t num_reads,
                 uint64_t seed, std::optional<Matrix<int8_t>> initial, int num_threads,
                 double time_limit, double target_energy, nb::object interrupt,
                 bool gibbs, bool random_order, const std::string& isa_name) {
    Coefficients c{static_cast<int64_t>(h.shape(0)),
                   static_cast<int64_t>(value.shape(0)),
                   h.data(), row.data(), col.data(), value.data()};
    const int64_t n = c.n;
    if (row.shape(0) != value.shape(0) || col.shape(0) != value.shape(0))
        throw nb::value_error("row, col and value must have the same length.");
    if (num_reads < 0) throw nb::value_error("num_reads must not be negative.");
    if (initial && (static_cast<int64_t>(initial->shape(0)) != num_reads ||
                    static_cast<int64_t>(initial->shape(1)) != n))
        throw nb::value_error("initial must have the shape (num_reads, n).");
    for (size_t s = 0; s < betas.shape(0); ++s)
        if (!(betas.data()[s] >= 0))
            throw nb::value_error("The betas must not be negative or nan.");
    const Isa isa = choose_isa(isa_name, "anneal");
    const int threads = std::max(1, num_threads);

    Control control(time_limit, interrupt);
    std::vector<int8_t> spins(static_cast<size_t>(num_reads * n));
    std::vector<char> completed(static_cast<size_t>(num_reads), 0);
    std::atomic<int64_t> last_read{std::numeric_limits<int64_t>::max()};
    const char* kernel = "none";
    {
        nb::gil_scoped_release release;
        check(c, "anneal");
        for (int64_t r = 0; r < num_reads; ++r) {
            if (initial)
                std::copy_n(initial->data() + r * n, n, spins.data() + r * n);
            else
                random_spins(spins.data() + r * n, n, seed, static_cast<uint64_t>(r));
        }
        double largest = largest_of(c);
        // Where sums could overflow or reciprocals be infinite, an exact factor helps.
        std::vector<double> fields, couplings;
        int shift = 0;
        if (largest > 1e200 || (largest < 1e-200 && largest > 0)) {
            std::frexp(largest, &shift);
            fields.assign(c.h, c.h + n);
            couplings.assign(c.value, c.value + c.m);
            for (double& x : fields) x = std::ldexp(x, -shift);
            for (double& x : couplings) x = std::ldexp(x, -shift);
            c.h = fields.data();
            c.value = couplings.data();
            largest = std::ldexp(largest, -shift);
        }
        const double target = std::ldexp(target_energy, -shift);
        double unit = 1;
        const bool limited =
            time_limit > 0 || target_energy > -std::numeric_limits<double>::infinity();
        const Job job = make_job(c, largest > 0 ? largest : 1, unit, num_reads, threads,
                                 limited, random_order, isa);
        kernel = job.kernel;
        // In the model's own units, so that the size of the coefficients is harmless.
        std::vector<double> scaled(betas.data(), betas.data() + betas.shape(0));
        for (double& beta : scaled) beta = std::min(std::ldexp(beta, shift) * unit, 1e30);
        const Schedule schedule{scaled.data(), static_cast<int64_t>(scaled.size()), seed,
                                gibbs, random_order};
        const int64_t groups = n ? (num_reads + job.width - 1) / job.width : 0;
        if (n == 0) std::fill(completed.begin(), completed.end(), 1);
        parallel_groups(groups, threads, control, [&](int64_t group) {
            const int64_t first = group * job.width;
            const int64_t count = std::min(job.width, num_reads - first);
            if (first > last_read.load()) return;
            int8_t* rows = spins.data() + first * n;
            if (!job.run(schedule, first, count, rows, Poll{control, last_read, first}))
                return;
            for (int64_t r = 0; r < count; ++r) {
                completed[static_cast<size_t>(first + r)] = 1;
                if (target_energy == -std::numeric_limits<double>::infinity() ||
                    !reaches(c, rows + r * n, target))
                    continue;
                int64_t known = last_read.load();
                while (first + r < known &&
                       !last_read.compare_exchange_weak(known, first + r)) {
                }
                return;
            }
        });
    }
    control.rethrow();
    for (int64_t r = std::min(last_read.load(), num_reads) + 1; r < num_reads; ++r)
        completed[static_cast<size_t>(r)] = 0;
    const bool all = std::all_of(completed.begin(), completed.end(),
                                 [](char c) { return c != 0; });
    const char* reason = last_read.load() < num_reads ? "target_energy"
                         : all                        ? ""
                         : control.expired()          ? "time_limit"
                                                      : "interrupt";
    const size_t reads = static_cast<size_t>(num_reads);
    nb::object done = to_numpy(std::move(completed), {reads});
    return nb::make_tuple(to_numpy(std::move(spins), {reads, static_cast<size_t>(n)}),
                          done.attr("astype")("bool"), kernel, reason);
}

}  // namespace

void bind_anneal(nb::module_& module) {
    module.def("anneal", &anneal, nb::arg("h"), nb::arg("row"), nb::arg("col"),
               nb::arg("value"), nb::arg("betas"), nb::arg("num_reads"), nb::arg("seed"),
               nb::arg("initial") = nb::none(), nb::arg("num_threads") = 1,
               nb::arg("time_limit") = 0.0,
               nb::arg("target_energy") = -std::numeric_limits<double>::infinity(),
               nb::arg("interrupt") = nb::none(), nb::arg("gibbs") = false,
               nb::arg("random_order") = false, nb::arg("isa") = "",
               "Simulated annealing of independent reads; see _fallback/_anneal.py.");
}
