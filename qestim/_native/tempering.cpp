// SPDX-License-Identifier: Apache-2.0
// Parallel tempering: independent chains, each a ladder of replicas that are swept by
// heat bath and exchange temperatures, even and odd pairs in turn.
#include "replicas.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace qestim {
namespace {

// Zeros whose pages the system hands out as they are written: reads can be many. Asked
// for in large pages, since a fault costs as much as a dozen sweeps of a small model.
template <class T>
class Zeros {
  public:
    explicit Zeros(size_t size)
        : block_(std::make_unique<Block>(std::max<size_t>(size, 1) * sizeof(T))) {}
    T* data() { return static_cast<T*>(block_->data); }
    nb::object numpy(std::initializer_list<size_t> shape) {
        T* values = data();
        Block* owned = block_.release();
        nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<Block*>(p); });
        return nb::cast(nb::ndarray<nb::numpy, T>(values, shape, owner));
    }

  private:
    struct Block {
        size_t bytes;
        void* data;
#ifdef __linux__
        explicit Block(size_t size)
            : bytes(size), data(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
            if (data == MAP_FAILED) throw std::bad_alloc();
            if (bytes >= size_t{1} << 22) madvise(data, bytes, MADV_HUGEPAGE);
        }
        ~Block() { munmap(data, bytes); }
#else
        explicit Block(size_t size) : bytes(size), data(std::calloc(size, 1)) {
            if (!data) throw std::bad_alloc();
        }
        ~Block() { std::free(data); }
#endif
        Block(const Block&) = delete;
        Block& operator=(const Block&) = delete;
    };
    std::unique_ptr<Block> block_;
};

struct Run {
    std::vector<double> betas;  // hottest first, the target last
    int64_t num_chains, num_reads, burn_in, thin, num_energies;
    uint64_t seed;
    const int8_t* initial;  // [chain][temperature][n] or nullptr
    int num_threads;
    bool symmetric;
    // results
    int8_t* spins;                               // [read][chain][n]
    double* energies;                            // [chain][temperature][the last num_energies reads]
    std::vector<int8_t> last;                    // as `initial`
    std::vector<int64_t> accepted, trips, done;  // [chain][pair], [chain], [chain]
};

// One chain's bookkeeping: which replica holds which temperature.
struct Ladder {
    std::vector<int> slot;        // by temperature
    std::vector<int8_t> from;     // by slot: 1 last at the hot end, 2 at the cold end
    uint64_t random;
    int parity = 0;
    double uniform() {
        return (static_cast<double>(splitmix64(random) >> 11) + 0.5) * 0x1p-53;
    }
};

template <class Replicas, class Make>
void run_group(Run& run, int n, int64_t first, int64_t last, Control& control,
               Make&& make) {
    const int temperatures = static_cast<int>(run.betas.size());
    const int64_t chains = last - first;
    Replicas replicas = make(static_cast<int>(chains * temperatures));
    std::vector<Ladder> ladders(chains);
    std::vector<int8_t> state(n);
    for (int64_t c = 0; c < chains; ++c) {
        Ladder& ladder = ladders[c];
        ladder.random = read_state(run.seed, (uint64_t{1} << 62) + first + c);
        for (int k = 0; k < temperatures; ++k) {
            const int64_t index = (first + c) * temperatures + k;
            const int slot = static_cast<int>(c * temperatures + k);
            replicas.seed(slot, read_state(run.seed, index));
            replicas.set_beta(slot, run.betas[k]);
            uint64_t bits = read_state(run.seed, (uint64_t{1} << 61) + index);
            for (int i = 0; i < n; ++i) state[i] = splitmix64(bits) >> 63 ? 1 : -1;
            if (run.initial)
                std::copy_n(run.initial + index * n, n, state.begin());
            replicas.set_spins(slot, state.data());
            ladder.slot.push_back(slot);
            ladder.from.push_back(0);
        }
    }
    auto swap_temperatures = [&](int64_t c) {
        Ladder& ladder = ladders[c];
        int64_t* accepted = run.accepted.data() + (first + c) * (temperatures - 1);
        for (int k = ladder.parity; k + 1 < temperatures; k += 2) {
            int &a = ladder.slot[k], &b = ladder.slot[k + 1];
            const double gain = (run.betas[k + 1] - run.betas[k]) *
                                (replicas.energy(b) - replicas.energy(a));
            if (gain >= 0 || ladder.uniform() < std::exp(gain)) {
                std::swap(a, b);
                replicas.set_beta(a, run.betas[k]);
                replicas.set_beta(b, run.betas[k + 1]);
                ++accepted[k];
            }
        }
        ladder.parity ^= 1;
        const int base = static_cast<int>(c * temperatures);
        ladder.from[ladder.slot[0] - base] = 1;
        int8_t& cold = ladder.from[ladder.slot[temperatures - 1] - base];
        if (cold == 1) ++run.trips[first + c];
        cold = 2;
    };
    const int64_t patience =
        std::max<int64_t>(1, 100000 / (chains * temperatures * std::max(n, 1)));
    int64_t read = 0, next_read = run.burn_in + run.thin;
    const int64_t sweeps = run.burn_in + run.thin * run.num_reads;
    for (int64_t sweep = 1; sweep <= sweeps; ++sweep) {
        const bool record = sweep == next_read;
        const int64_t place = read - (run.num_reads - run.num_energies);
        replicas.sweep(temperatures > 1 || (record && place >= 0));
        if (temperatures > 1)
            for (int64_t c = 0; c < chains; ++c) swap_temperatures(c);
        if (record) {
            for (int64_t c = 0; c < chains; ++c) {
                Ladder& ladder = ladders[c];
                const int64_t chain = first + c;
                int8_t* spins = &run.spins[(read * run.num_chains + chain) * n];
                replicas.get_spins(ladder.slot[temperatures - 1], spins);
                // Without fields s and -s are equally likely: a fair coin decides.
                if (run.symmetric && ladder.uniform() < 0.5)
                    for (int i = 0; i < n; ++i) spins[i] = -spins[i];
                for (int k = 0; place >= 0 && k < temperatures; ++k)
                    run.energies[(chain * temperatures + k) * run.num_energies + place] =
                        replicas.energy(ladder.slot[k]);
                run.done[chain] = read + 1;
            }
            ++read;
            next_read += run.thin;
        }
        if (sweep % patience == 0 && control.should_stop()) break;
    }
    for (int64_t c = 0; c < chains; ++c)
        for (int k = 0; k < temperatures; ++k)
            replicas.get_spins(ladders[c].slot[k],
                               &run.last[((first + c) * temperatures + k) * n]);
}

// Chains are independent: how many share a group changes speed alone.
template <class Replicas, class Make>
void run_chains(Run& run, int n, int lanes, Control& control, Make&& make) {
    const int64_t temperatures = static_cast<int64_t>(run.betas.size());
    const int64_t share = (run.num_chains + run.num_threads - 1) / run.num_threads;
    int64_t per_group = std::max<int64_t>(1, std::min(share, 32 / temperatures));
    if (lanes > 1)  // fill the lanes: the share with the fewest idle ones
        for (int64_t g = 1, best = std::numeric_limits<int64_t>::max(); g <= share; ++g) {
            const int64_t blocks = (g * temperatures + lanes - 1) / lanes;
            const int64_t cost = blocks * ((run.num_chains + g - 1) / g);
            if (cost < best) best = cost, per_group = g;
        }
    const int64_t groups = (run.num_chains + per_group - 1) / per_group;
    parallel_groups(groups, run.num_threads, control, [&](int64_t g) {
        const int64_t first = g * per_group;
        run_group<Replicas>(run, n, first, std::min(first + per_group, run.num_chains),
                            control, make);
    });
}

// Two-colours the graph; false where it has an odd cycle.
template <class F>
bool two_sides(const Couplings<F>& m, std::vector<int8_t>& side) {
    side.assign(m.n, -1);
    std::vector<int> queue;
    for (int root = 0; root < m.n; ++root) {
        if (side[root] >= 0) continue;
        side[root] = 0;
        queue.assign(1, root);
        while (!queue.empty()) {
            const int i = queue.back();
            queue.pop_back();
            for (int k = m.start[i]; k < m.start[i + 1]; ++k) {
                const int j = m.neighbour[k];
                if (side[j] == side[i]) return false;
                if (side[j] < 0) {
                    side[j] = 1 - side[i];
                    queue.push_back(j);
                }
            }
        }
    }
    return true;
}

template <class F>
std::string run_model(Run& run, const Couplings<F>& m, const std::string& layout,
                      Control& control) {
    const double edges = 0.5 * static_cast<double>(m.value.size());
    std::vector<int8_t> side;
    bool bipartite = false;
    if (layout == "auto" || layout == "bipartite") {
        bipartite = two_sides(m, side);
        const double zeros = static_cast<double>(std::count(side.begin(), side.end(), 0));
        const double ones = m.n - zeros;
        if (layout == "auto")
            bipartite = bipartite && zeros >= 8 && ones >= 8 &&
                        edges >= 0.12 * zeros * ones && zeros * ones <= 1 << 22;
        else if (!bipartite)
            throw std::invalid_argument("the couplings are not bipartite");
    }
    if (bipartite) {
        SideTable<F> sides[2];
        BipartiteReplicas<F>::tabulate(m, side, sides);
        run_chains<BipartiteReplicas<F>>(run, m.n, 1, control, [&](int size) {
            return BipartiteReplicas<F>(m, size, sides);
        });
        return "bipartite";
    }
    if (layout == "dense" || (layout == "auto" && edges > 0.125 * m.n * m.n && m.n > 64)) {
        const Buffer<F> rows = DenseReplicas<F>::double_rows(m);
        run_chains<DenseReplicas<F>>(run, m.n, 1, control, [&](int size) {
            return DenseReplicas<F>(m, size, rows);
        });
        return "dense";
    }
    run_chains<SparseReplicas<F>>(run, m.n, 16, control, [&](int size) {
        return SparseReplicas<F>(m, size);
    });
    return "sparse";
}

template <class F>
Couplings<F> scaled(const Couplings<double>& m, double unit) {
    Couplings<F> result;
    result.n = m.n;
    result.unit = unit;
    result.start = m.start;
    result.neighbour = m.neighbour;
    for (double x : m.h) result.h.push_back(static_cast<F>(std::nearbyint(x / unit)));
    for (double x : m.value)
        result.value.push_back(static_cast<F>(std::nearbyint(x / unit)));
    return result;
}

// The unit in which the fields are integers of 30 bits, or 0 where that would move a
// probability by 1e-6: beta/2 times the error of a field (four standard deviations).
// Also 0 where 2 beta log2(e) times a field could reach 1000: exponents would overflow.
double integer_unit(const Couplings<double>& m, double beta) {
    double largest = 0;
    for (int i = 0; i < m.n; ++i) {
        double field = std::abs(m.h[i]);
        for (int k = m.start[i]; k < m.start[i + 1]; ++k) field += std::abs(m.value[k]);
        largest = std::max(largest, field);
    }
    if (largest == 0) return 1;
    if (2.9 * beta * largest > 990) return 0;
    const double unit = std::ldexp(1.0, std::ilogb(largest) - 29);
    if (unit == 0 || !std::isfinite(1 / unit)) return 0;
    auto square = [&](double x) {
        const double error = x - unit * std::nearbyint(x / unit);
        return error * error;
    };
    for (int i = 0; i < m.n; ++i) {
        double error = square(m.h[i]);
        for (int k = m.start[i]; k < m.start[i + 1]; ++k) error += square(m.value[k]);
        if (0.5 * beta * 4 * std::sqrt(error) > 1e-6) return 0;
    }
    return unit;
}

nb::tuple temper(Vector<double> h, Vector<int32_t> row, Vector<int32_t> col,
                 Vector<double> value, Vector<double> betas, int64_t num_chains,
                 int64_t num_reads, int64_t burn_in, int64_t thin, uint64_t seed,
                 std::optional<nb::ndarray<const int8_t, nb::ndim<3>, nb::c_contig,
                                           nb::device::cpu>> initial,
                 int num_threads, double time_limit, nb::object interrupt,
                 const std::string& layout, int64_t num_energies) {
    Couplings<double> m;
    m.n = static_cast<int>(h.size());
    m.h.assign(h.data(), h.data() + m.n);
    m.start.assign(m.n + 1, 0);
    for (size_t k = 0; k < row.size(); ++k) {
        const int i = row(k), j = col(k);
        if (i < 0 || j < 0 || i >= m.n || j >= m.n || i == j)
            throw nb::value_error("a coupling joins spins that do not exist");
        ++m.start[i + 1];
        ++m.start[j + 1];
    }
    for (int i = 0; i < m.n; ++i) m.start[i + 1] += m.start[i];
    m.neighbour.resize(2 * row.size());
    m.value.resize(2 * row.size());
    std::vector<int32_t> fill(m.start.begin(), m.start.end() - 1);
    for (size_t k = 0; k < row.size(); ++k)
        for (int end = 0; end < 2; ++end) {
            const int i = end ? col(k) : row(k), j = end ? row(k) : col(k);
            m.neighbour[fill[i]] = j;
            m.value[fill[i]++] = value(k);
        }

    Run run;
    run.betas.assign(betas.data(), betas.data() + betas.size());
    const size_t temperatures = betas.size(), chains = num_chains, reads = num_reads;
    const size_t n = m.n;
    if (temperatures == 0 || num_chains < 1 || num_reads < 0 || thin < 1 || burn_in < 0)
        throw nb::value_error("betas, num_chains, num_reads, burn_in or thin");
    if (initial && (initial->shape(0) != chains || initial->shape(1) != temperatures ||
                    initial->shape(2) != n))
        throw nb::value_error("initial must have shape (chains, temperatures, n)");
    run.num_chains = num_chains;
    run.num_reads = num_reads;
    run.num_energies = num_energies < 0 ? num_reads : std::min(num_energies, num_reads);
    run.burn_in = burn_in;
    run.thin = thin;
    run.seed = seed;
    run.initial = initial ? initial->data() : nullptr;
    run.num_threads = std::max(1, num_threads);
    run.symmetric = std::all_of(m.h.begin(), m.h.end(), [](double x) { return x == 0; });
    Zeros<int8_t> spins(chains * reads * n);
    Zeros<double> energies(chains * temperatures * run.num_energies);
    run.spins = spins.data();
    run.energies = energies.data();
    run.last.resize(chains * temperatures * n);
    run.accepted.resize(chains * (temperatures - 1));
    run.trips.resize(chains);
    run.done.resize(chains);
    Control control(time_limit, interrupt);
    std::string name;
    {
        nb::gil_scoped_release release;
        const double coldest = *std::max_element(run.betas.begin(), run.betas.end());
        const double unit = integer_unit(m, coldest);
        name = unit > 0 ? run_model(run, scaled<int32_t>(m, unit), layout, control) +
                              "-int32"
                        : run_model(run, m, layout, control) + "-float64";
    }
    if (control.stopped()) control.rethrow();
    return nb::make_tuple(spins.numpy({reads, chains, n}),
                          energies.numpy({chains, temperatures,
                                          static_cast<size_t>(run.num_energies)}),
                          to_numpy(std::move(run.last), {chains, temperatures, n}),
                          to_numpy(std::move(run.accepted), {chains, temperatures - 1}),
                          to_numpy(std::move(run.trips), {chains}),
                          to_numpy(std::move(run.done), {chains}), name);
}

}  // namespace
}  // namespace qestim

void bind_tempering(nb::module_& module) {
    using namespace nb::literals;
    module.def("temper", &qestim::temper, "h"_a, "row"_a, "col"_a, "value"_a, "betas"_a,
               "num_chains"_a, "num_reads"_a, "burn_in"_a, "thin"_a, "seed"_a,
               "initial"_a = nb::none(), "num_threads"_a = 1, "time_limit"_a = 0.0,
               "interrupt"_a = nb::none(), "layout"_a = "auto",
               "num_energies"_a = -1,
               "Reads [read][chain] at the last beta; energies at every beta, of the "
               "last num_energies reads; the last states; accepted swaps; round trips; complete reads; the kernel's name.");
}
