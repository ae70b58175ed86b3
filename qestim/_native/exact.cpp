// SPDX-License-Identifier: Apache-2.0
// Exact enumeration of up to 26 spins. The lowest L spins form a block whose 2^L
// energies are built by doubling; the other spins are walked in Gray code, so that a
// step changes one of them and the L fields that it puts on the block.
#include "common.hpp"

#include <cmath>
#include <cstring>
#include <tuple>

namespace qestim {
namespace {

constexpr int kMaxSpins = 26;
constexpr int kMaxLow = 10;

struct Enumeration {
    int n, low, high;
    int64_t block, num_prefixes, num_chunks, chunk;
    std::vector<double> J, h, table;
    double bound = 0;  // no energy is larger in size

    Enumeration(const Vector<double>& h_, const Vector<int32_t>& row,
                const Vector<int32_t>& col, const Vector<double>& value)
        : n(static_cast<int>(h_.size())) {
        if (h_.size() > kMaxSpins)
            throw nb::value_error("exact enumeration takes at most 26 spins");
        low = std::min(n, kMaxLow);
        high = n - low;
        block = int64_t{1} << low;
        num_prefixes = int64_t{1} << high;
        num_chunks = std::min<int64_t>(num_prefixes, 512);
        chunk = num_prefixes / num_chunks;
        h.assign(h_.data(), h_.data() + n);
        J.assign(static_cast<size_t>(n) * n, 0.0);
        for (size_t k = 0; k < row.size(); ++k) {
            const int i = row(k), j = col(k);
            if (i < 0 || j < 0 || i >= n || j >= n || i == j)
                throw nb::value_error("a coupling joins spins that do not exist");
            J[i * n + j] += value(k);
            J[j * n + i] += value(k);
            bound += std::abs(value(k));
        }
        for (double x : h) bound += std::abs(x);
        table.assign(block, 0.0);
        for (int64_t x = 0; x < block; ++x)
            for (int i = 0; i < low; ++i)
                for (int j = 0; j < i; ++j) {
                    const bool equal = ((x >> i) & 1) == ((x >> j) & 1);
                    table[x] += equal ? J[i * n + j] : -J[i * n + j];
                }
    }
};

// e[x] = energy of block state x under the fields on the block, doubling spin by spin.
QESTIM_CLONES void fill_block(const double* table, const double* field, int low,
                              double base, double* e) {
    for (int k = 0; k < low; ++k) base -= field[k];
    e[0] = base;
    for (int k = 0; k < low; ++k) {
        const int64_t size = int64_t{1} << k;
        const double step = 2 * field[k];
        for (int64_t x = 0; x < size; ++x) e[size + x] = e[x] + step;
    }
    const int64_t size = int64_t{1} << low;
    for (int64_t x = 0; x < size; ++x) e[x] += table[x];
}

// w[x] = exp(-beta (e[x] - ground)), exponents at most 0, to about 1e-15.
QESTIM_CLONES void weigh_block(const double* e, int64_t size, double beta,
                               double ground, double* w) {
    constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: rounds to integers
    for (int64_t x = 0; x < size; ++x) {
        double t = -beta * (e[x] - ground);
        t = t < -700 ? -700 : (t > 0 ? 0 : t);
        const double shifted = t * 1.4426950408889634 + kMagic;
        const double whole = shifted - kMagic;
        double r = t - whole * 0.693147180369123816490;
        r -= whole * 1.90821492927058770002e-10;
        double p = 1.0 / 6227020800.0;
        p = p * r + 1.0 / 479001600.0;
        p = p * r + 1.0 / 39916800.0;
        p = p * r + 1.0 / 3628800.0;
        p = p * r + 1.0 / 362880.0;
        p = p * r + 1.0 / 40320.0;
        p = p * r + 1.0 / 5040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1.0;
        p = p * r + 1.0;
        uint64_t bits, scale;
        std::memcpy(&bits, &p, 8);
        std::memcpy(&scale, &shifted, 8);
        bits += scale << 52;
        std::memcpy(&w[x], &bits, 8);
    }
}

// Sum in a fixed order: the same bits from every clone.
QESTIM_CLONES double total(const double* v, int64_t size) {
    double lane[8] = {};
    int64_t x = 0;
    for (; x + 8 <= size; x += 8)
        for (int k = 0; k < 8; ++k) lane[k] += v[x + k];
    for (int k = 0; x < size; ++x, ++k) lane[k] += v[x];
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) +
           ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

QESTIM_CLONES void add_to(double* to, const double* from, int64_t size) {
    for (int64_t x = 0; x < size; ++x) to[x] += from[x];
}

QESTIM_CLONES void multiply(double* to, const double* a, const double* b,
                            int64_t size) {
    for (int64_t x = 0; x < size; ++x) to[x] = a[x] * b[x];
}

// moments[k] = sum over x of w[x] * spin k of x. Destroys w; returns the sum of w.
double block_moments(double* w, int low, double* moments) {
    for (int k = low - 1; k >= 0; --k) {
        const int64_t half = int64_t{1} << k;
        moments[k] = total(w + half, half) - total(w, half);
        add_to(w, w + half, half);
    }
    return w[0];
}

// The spins above the block in one state, and the fields they put on the block.
struct Prefix {
    const Enumeration& m;
    uint64_t state;
    double base = 0;
    double field[kMaxLow];
    std::vector<double> high_field;

    Prefix(const Enumeration& m_, uint64_t state_) : m(m_), state(state_) {
        high_field.resize(m.high);
        for (int k = 0; k < m.low; ++k) {
            field[k] = m.h[k];
            for (int j = 0; j < m.high; ++j)
                field[k] += m.J[k * m.n + m.low + j] * spin(j);
        }
        for (int i = 0; i < m.high; ++i) {
            const double* row = &m.J[(m.low + i) * m.n + m.low];
            double inner = 0;
            for (int j = 0; j < m.high; ++j) inner += row[j] * spin(j);
            high_field[i] = m.h[m.low + i] + inner;
            base += spin(i) * (m.h[m.low + i] + 0.5 * inner);
        }
    }
    double spin(int j) const { return (state >> j) & 1 ? 1.0 : -1.0; }
    void flip(int j) {
        const double change = -2 * spin(j);
        base += change * high_field[j];
        state ^= uint64_t{1} << j;
        const double* row = &m.J[(m.low + j) * m.n];
        for (int k = 0; k < m.low; ++k) field[k] += change * row[k];
        for (int i = 0; i < m.high; ++i) high_field[i] += change * row[m.low + i];
    }
};

// Calls visit(chunk, prefix, energies of the block) for every prefix; chunks are
// fixed by the model, so that results do not depend on the number of threads.
template <class Visit>
void for_each_block(const Enumeration& m, int num_threads, Control& control,
                    Visit&& visit) {
    parallel_groups(m.num_chunks, num_threads, control, [&](int64_t c) {
        std::vector<double> energies(m.block);
        uint64_t step = static_cast<uint64_t>(c * m.chunk);
        Prefix prefix(m, step ^ (step >> 1));
        for (int64_t k = 0; k < m.chunk; ++k) {
            if (k % 16 == 0 && control.should_stop()) return;
            fill_block(m.table.data(), prefix.field, m.low, prefix.base,
                       energies.data());
            visit(c, prefix, energies.data());
            ++step;
            if (k + 1 < m.chunk) prefix.flip(__builtin_ctzll(step));
        }
    });
}

double ground_energy(const Enumeration& m, int num_threads, Control& control) {
    std::vector<double> lowest(m.num_chunks, std::numeric_limits<double>::infinity());
    for_each_block(m, num_threads, control, [&](int64_t c, Prefix&, double* e) {
        lowest[c] = std::min(lowest[c], *std::min_element(e, e + m.block));
    });
    return *std::min_element(lowest.begin(), lowest.end());
}

struct Sums {
    double weight = 0, energy = 0;
    int64_t ground = 0;
    std::vector<double> block, high, across, pairs;
    explicit Sums(const Enumeration& m)
        : block(m.block), high(m.high), across(m.low * m.high), pairs(m.high * m.high) {}
};

void write_spins(uint64_t state, int n, int8_t* spins) {
    for (int i = 0; i < n; ++i) spins[i] = (state >> i) & 1 ? 1 : -1;
}

nb::tuple enumerate_law(Vector<double> h, Vector<int32_t> row, Vector<int32_t> col,
                        Vector<double> value, double beta, Vector<double> uniforms,
                        int num_threads) {
    const Enumeration m(h, row, col, value);
    const int n = m.n;
    Control control(0);
    double ground = 0;
    std::vector<double> prefix_weight(m.num_prefixes);
    std::vector<Sums> chunks;
    {
        nb::gil_scoped_release release;
        ground = ground_energy(m, num_threads, control);
        const double tolerance = 1e-11 * m.bound;
        for (int64_t c = 0; c < m.num_chunks; ++c) chunks.emplace_back(m);
        for_each_block(m, num_threads, control, [&](int64_t c, Prefix& prefix,
                                                    double* e) {
            Sums& sums = chunks[c];
            std::vector<double> w(m.block), we(m.block);
            double moments[kMaxLow];
            weigh_block(e, m.block, beta, ground, w.data());
            for (int64_t x = 0; x < m.block; ++x)
                sums.ground += e[x] <= ground + tolerance;
            multiply(we.data(), w.data(), e, m.block);
            sums.energy += total(we.data(), m.block);
            add_to(sums.block.data(), w.data(), m.block);
            const double weight = block_moments(w.data(), m.low, moments);
            prefix_weight[prefix.state] = weight;
            sums.weight += weight;
            for (int i = 0; i < m.high; ++i) {
                const double s = prefix.spin(i);
                sums.high[i] += s * weight;
                for (int k = 0; k < m.low; ++k)
                    sums.across[i * m.low + k] += s * moments[k];
                for (int j = 0; j < i; ++j)
                    sums.pairs[i * m.high + j] += s * prefix.spin(j) * weight;
            }
        });
    }
    if (control.stopped()) control.rethrow();

    Sums sum(m);
    for (const Sums& part : chunks) {
        sum.weight += part.weight;
        sum.energy += part.energy;
        sum.ground += part.ground;
        add_to(sum.block.data(), part.block.data(), m.block);
        add_to(sum.high.data(), part.high.data(), m.high);
        add_to(sum.across.data(), part.across.data(), m.low * m.high);
        add_to(sum.pairs.data(), part.pairs.data(), m.high * m.high);
    }
    std::vector<double> mean(n), pair(static_cast<size_t>(n) * n);
    auto set = [&](int i, int j, double x) {
        pair[i * n + j] = pair[j * n + i] = x / sum.weight;
    };
    for (int i = 0; i < n; ++i) pair[i * n + i] = 1;
    for (int64_t x = 0; x < m.block; ++x)
        for (int i = 0; i < m.low; ++i) {
            const double a = (x >> i) & 1 ? sum.block[x] : -sum.block[x];
            mean[i] += a;
            for (int j = 0; j < i; ++j) pair[i * n + j] += (x >> j) & 1 ? a : -a;
        }
    for (int i = 0; i < m.low; ++i) {
        mean[i] /= sum.weight;
        for (int j = 0; j < i; ++j) set(i, j, pair[i * n + j]);
    }
    for (int i = 0; i < m.high; ++i) {
        mean[m.low + i] = sum.high[i] / sum.weight;
        for (int k = 0; k < m.low; ++k) set(m.low + i, k, sum.across[i * m.low + k]);
        for (int j = 0; j < i; ++j)
            set(m.low + i, m.low + j, sum.pairs[i * m.high + j]);
    }

    // Draws by inversion, in increasing order so that each block is rebuilt once.
    std::vector<int8_t> draws(uniforms.size() * n);
    {
        std::vector<double> cumulative(m.num_prefixes);
        double running = 0;
        for (int64_t p = 0; p < m.num_prefixes; ++p)
            cumulative[p] = running += prefix_weight[p];
        std::vector<size_t> order(uniforms.size());
        for (size_t k = 0; k < order.size(); ++k) order[k] = k;
        std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
            return uniforms(a) < uniforms(b);
        });
        std::vector<double> e(m.block), w(m.block);
        int64_t current = -1;
        for (size_t k : order) {
            const double target = uniforms(k) * running;
            int64_t p = std::upper_bound(cumulative.begin(), cumulative.end(), target) -
                        cumulative.begin();
            p = std::min(p, m.num_prefixes - 1);
            if (p != current) {
                const Prefix prefix(m, static_cast<uint64_t>(p));
                fill_block(m.table.data(), prefix.field, m.low, prefix.base, e.data());
                weigh_block(e.data(), m.block, beta, ground, w.data());
                for (int64_t x = 1; x < m.block; ++x) w[x] += w[x - 1];
                current = p;
                if (control.should_stop()) control.rethrow();
            }
            const double inside = target - (p ? cumulative[p - 1] : 0.0);
            const auto last = w.end() - 1;
            const uint64_t x = std::upper_bound(w.begin(), last, inside) - w.begin();
            const uint64_t state = (static_cast<uint64_t>(p) << m.low) | x;
            write_spins(state, n, draws.data() + k * n);
        }
    }
    const double log_z = std::log(sum.weight) - beta * ground;
    const size_t size = n;
    return nb::make_tuple(log_z, sum.energy / sum.weight, ground, sum.ground,
                          to_numpy(std::move(mean), {size}),
                          to_numpy(std::move(pair), {size, size}),
                          to_numpy(std::move(draws), {uniforms.size(), size}));
}

nb::tuple enumerate_lowest(Vector<double> h, Vector<int32_t> row, Vector<int32_t> col,
                           Vector<double> value, int64_t num_states, int num_threads) {
    const Enumeration m(h, row, col, value);
    const size_t count = std::min<int64_t>(num_states, m.num_prefixes * m.block);
    using State = std::pair<double, uint64_t>;  // ties go to the smaller index
    std::vector<State> best;
    std::mutex mutex;
    std::atomic<double> limit{std::numeric_limits<double>::infinity()};
    Control control(0);
    {
        nb::gil_scoped_release release;
        for_each_block(m, num_threads, control, [&](int64_t, Prefix& prefix, double* e) {
            const double worst = limit.load(std::memory_order_relaxed);
            if (*std::min_element(e, e + m.block) > worst) return;
            std::lock_guard<std::mutex> lock(mutex);
            for (int64_t x = 0; x < m.block; ++x)
                if (e[x] <= worst)
                    best.emplace_back(e[x], (prefix.state << m.low) |
                                                static_cast<uint64_t>(x));
            if (best.size() >= 2 * count + 4096) {
                std::nth_element(best.begin(), best.begin() + (count - 1), best.end());
                best.resize(count);
                limit = best[count - 1].first;
            }
        });
    }
    if (control.stopped()) control.rethrow();
    std::sort(best.begin(), best.end());
    std::vector<int8_t> spins(count * m.n);
    std::vector<double> energies(count);
    for (size_t k = 0; k < count; ++k) {
        energies[k] = best[k].first;
        write_spins(best[k].second, m.n, spins.data() + k * m.n);
    }
    return nb::make_tuple(to_numpy(std::move(spins), {count, size_t(m.n)}),
                          to_numpy(std::move(energies), {count}));
}

nb::object enumerate_energies(Vector<double> h, Vector<int32_t> row,
                              Vector<int32_t> col, Vector<double> value,
                              int num_threads) {
    const Enumeration m(h, row, col, value);
    std::vector<double> energies(m.num_prefixes * m.block);
    Control control(0);
    {
        nb::gil_scoped_release release;
        for_each_block(m, num_threads, control, [&](int64_t, Prefix& prefix, double* e) {
            std::copy(e, e + m.block, energies.begin() + (prefix.state << m.low));
        });
    }
    if (control.stopped()) control.rethrow();
    const size_t size = energies.size();
    return to_numpy(std::move(energies), {size});
}

}  // namespace
}  // namespace qestim

void bind_exact(nb::module_& module) {
    using namespace nb::literals;
    module.def("enumerate_law", &qestim::enumerate_law, "h"_a, "row"_a, "col"_a,
               "value"_a, "beta"_a, "uniforms"_a, "num_threads"_a = 1,
               "log Z, mean energy, ground energy and its degeneracy, <s_i>, "
               "<s_i s_j>, and one Boltzmann draw for each number in [0, 1).");
    module.def("enumerate_lowest", &qestim::enumerate_lowest, "h"_a, "row"_a, "col"_a,
               "value"_a, "num_states"_a, "num_threads"_a = 1,
               "Spins and energies of the lowest states, ascending.");
    module.def("enumerate_energies", &qestim::enumerate_energies, "h"_a, "row"_a,
               "col"_a, "value"_a, "num_threads"_a = 1,
               "Energies of all 2^n states; spin i of state x is bit i of x.");
}
