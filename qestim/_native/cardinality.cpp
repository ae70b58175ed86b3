// SPDX-License-Identifier: Apache-2.0
// Minimise a.x + x.Q.x / 2 over bits with exactly k ones in each group: greedy, then
// best swaps until none improves, then annealing by swaps and best swaps again.
#include "common.hpp"

#include <cmath>

namespace qestim {
namespace {

template <class T>
using Cube = nb::ndarray<const T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

constexpr int kLanes = 16;

// Smallest g[j] - q[j]; 16 running minima, which is what vectorises.
template <class T>
QESTIM_INLINE T smallest_difference(const T* g, const T* q, int64_t n) {
    T lane[kLanes];
    for (int l = 0; l < kLanes; ++l) lane[l] = std::numeric_limits<T>::infinity();
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes)
        for (int l = 0; l < kLanes; ++l) {
            const T v = g[j + l] - q[j + l];
            lane[l] = v < lane[l] ? v : lane[l];
        }
    for (; j < n; ++j) {
        const T v = g[j] - q[j];
        lane[0] = v < lane[0] ? v : lane[0];
    }
    T least = lane[0];
    for (int l = 1; l < kLanes; ++l) least = lane[l] < least ? lane[l] : least;
    return least;
}

template <class T>
QESTIM_INLINE void add_scaled(T* f, const T* q, T sign, int64_t n) {
    for (int64_t j = 0; j < n; ++j) f[j] += sign * q[j];
}

QESTIM_CLONES float row_minimum(const float* g, const float* q, int64_t n) {
    return smallest_difference(g, q, n);
}
QESTIM_CLONES double row_minimum(const double* g, const double* q, int64_t n) {
    return smallest_difference(g, q, n);
}
QESTIM_CLONES void add_row(float* f, const float* q, float sign, int64_t n) {
    add_scaled(f, q, sign, n);
}
QESTIM_CLONES void add_row(double* f, const double* q, double sign, int64_t n) {
    add_scaled(f, q, sign, n);
}

struct Swap {
    double delta = 0;
    int32_t out = -1, in = -1;
};

template <class T>
struct Dense {
    using Value = T;
    const T* q;
    int64_t n;

    void add(T* f, int32_t i, T sign) const { add_row(f, q + i * n, sign, n); }
    T at(int32_t i, int32_t j) const { return q[i * n + j]; }

    // g is f where a bit may be set and infinite elsewhere, for one group's range.
    void improve(Swap& best, int32_t i, T f_i, const T* g, int64_t first, int64_t size,
                 const std::vector<int32_t>&) const {
        const T* row = q + i * n + first;
        const T least = row_minimum(g + first, row, size);
        if (!(double(least) - double(f_i) < best.delta)) return;
        int64_t j = 0;
        while (g[first + j] - row[j] != least) ++j;
        best = {double(least) - double(f_i), i, int32_t(first + j)};
    }
    int64_t longest(const std::vector<int32_t>&) const { return 0; }
};

template <class T>
struct Sparse {
    using Value = T;
    const int64_t* start;
    const int32_t* column;
    const T* value;
    int64_t n;

    void add(T* f, int32_t i, T sign) const {
        for (int64_t e = start[i]; e < start[i + 1]; ++e) f[column[e]] += sign * value[e];
    }
    // Columns ascend within a row (the Python side sorts them).
    T at(int32_t i, int32_t j) const {
        const int32_t *first = column + start[i], *last = column + start[i + 1];
        const int32_t* found = std::lower_bound(first, last, j);
        return found != last && *found == j ? value[found - column] : T(0);
    }
    // Neighbours are tried one by one; of the others only the first of `order`, the
    // free bits by ascending f, that is no neighbour can be the best.
    void improve(Swap& best, int32_t i, T f_i, const T* g, int64_t first_bit,
                 int64_t size, const std::vector<int32_t>& order) const {
        auto consider = [&](int32_t j, T q_ij) {
            if (j < first_bit || j >= first_bit + size) return;
            const double delta = double(g[j] - q_ij) - double(f_i);
            if (delta < best.delta) best = {delta, i, j};
        };
        const int32_t *first = column + start[i], *last = column + start[i + 1];
        for (int64_t e = start[i]; e < start[i + 1]; ++e) consider(column[e], value[e]);
        for (int32_t j : order)
            if (!std::binary_search(first, last, j)) {
                consider(j, T(0));
                break;
            }
    }
    int64_t longest(const std::vector<int32_t>& rows) const {
        int64_t most = 0;
        for (int32_t i : rows) most = std::max(most, start[i + 1] - start[i]);
        return most + 1;
    }
};

// One problem at a time; the vectors are kept for the next one.
template <class Couplings>
class Solver {
    using T = typename Couplings::Value;

  public:
    Solver(int64_t n, int64_t groups, int64_t k)
        : n_(n), groups_(groups), size_(n / groups), k_(k), f_(n), g_(n), free_(n) {}

    void solve(const Couplings& q, const T* a, const uint8_t* allowed,
               const int32_t* initial, int64_t num_reads, int64_t num_sweeps,
               uint64_t rng, Control& control, int32_t* indices, double* energy) {
        q_ = &q;
        a_ = a;
        chosen_.clear();
        for (int64_t i = 0; i < n_; ++i) free_[i] = allowed[i];
        if (initial)
            for (int64_t s = 0; s < groups_ * k_; ++s) choose(initial[s]);
        else
            greedy();
        descend(control);
        std::vector<int32_t> best = chosen_;
        double lowest = total();
        for (int64_t read = 0; read < (num_sweeps > 0 ? num_reads : 0); ++read) {
            anneal(num_sweeps, rng, control);
            descend(control);
            const double found = total();
            if (found < lowest) {
                lowest = found;
                best = chosen_;
            }
        }
        std::sort(best.begin(), best.end());
        std::copy(best.begin(), best.end(), indices);
        *energy = lowest;
    }

  private:
    void choose(int32_t i) {
        chosen_.push_back(i);
        free_[i] = 0;
    }

    void greedy() {
        std::copy(a_, a_ + n_, f_.begin());
        std::vector<int64_t> left(groups_, k_);
        for (int64_t step = 0; step < groups_ * k_; ++step) {
            int64_t best = -1;
            for (int64_t group = 0; group < groups_; ++group) {
                if (left[group] == 0) continue;
                for (int64_t j = group * size_; j < (group + 1) * size_; ++j)
                    if (free_[j] && (best < 0 || f_[j] < f_[best])) best = j;
            }
            choose(static_cast<int32_t>(best));
            --left[best / size_];
            q_->add(f_.data(), static_cast<int32_t>(best), T(1));
        }
    }

    // f = a + Q x without the rounding that updates have gathered.
    void refresh() {
        std::copy(a_, a_ + n_, f_.begin());
        for (int32_t i : chosen_) q_->add(f_.data(), i, T(1));
    }

    void descend(Control& control) {
        std::sort(chosen_.begin(), chosen_.end());
        refresh();
        bool fresh = true;
        double last = std::numeric_limits<double>::infinity();
        while (!control.should_stop()) {
            const Swap swap = best_swap();
            if (swap.out < 0) {
                if (fresh) return;
                refresh();
                fresh = true;
                // Rounding alone must not lead round in a circle.
                const double now = total();
                if (!(now < last)) return;
                last = now;
                continue;
            }
            apply(swap);
            fresh = false;
        }
    }

    Swap best_swap() {
        const T infinite = std::numeric_limits<T>::infinity();
        T scale = 0;
        for (int64_t j = 0; j < n_; ++j) {
            g_[j] = free_[j] ? f_[j] : infinite;
            if (free_[j]) scale = std::max(scale, std::abs(f_[j]));
        }
        for (int32_t i : chosen_) scale = std::max(scale, std::abs(f_[i]));
        Swap best;
        // Below this a change is rounding.
        best.delta = -4.0 * std::numeric_limits<T>::epsilon() * double(scale);
        const int64_t longest = q_->longest(chosen_);
        for (int64_t group = 0; group < groups_; ++group) {
            const int64_t first = group * size_;
            order_by_field(first, longest);
            for (int32_t i : chosen_)
                if (i >= first && i < first + size_)
                    q_->improve(best, i, f_[i], g_.data(), first, size_, order_);
        }
        return best;
    }

    void order_by_field(int64_t first, int64_t longest) {
        order_.clear();
        if (longest == 0) return;
        for (int64_t j = first; j < first + size_; ++j)
            if (free_[j]) order_.push_back(static_cast<int32_t>(j));
        const auto keep = std::min<int64_t>(longest, order_.size());
        std::partial_sort(order_.begin(), order_.begin() + keep, order_.end(),
                          [&](int32_t i, int32_t j) {
                              return f_[i] < f_[j] || (f_[i] == f_[j] && i < j);
                          });
        order_.resize(keep);
    }

    void apply(const Swap& swap) {
        q_->add(f_.data(), swap.in, T(1));
        q_->add(f_.data(), swap.out, T(-1));
        free_[swap.out] = 1;
        free_[swap.in] = 0;
        *std::find(chosen_.begin(), chosen_.end(), swap.out) = swap.in;
    }

    // Swaps within a random group, heat from the typical swap down to 1/20 of it.
    void anneal(int64_t num_sweeps, uint64_t& rng, Control& control) {
        auto below = [&](uint64_t limit) {
            return static_cast<int64_t>((splitmix64(rng) >> 32) * limit >> 32);
        };
        std::vector<std::vector<int32_t>> in(groups_), out(groups_);
        for (int32_t i : chosen_) in[i / size_].push_back(i);
        for (int64_t j = 0; j < n_; ++j)
            if (free_[j]) out[j / size_].push_back(static_cast<int32_t>(j));
        std::vector<int64_t> open;
        for (int64_t group = 0; group < groups_; ++group)
            if (!out[group].empty()) open.push_back(group);
        if (open.empty()) return;
        struct Proposal {
            int64_t group, s, t;
            double delta;
        };
        auto propose = [&]() {
            const int64_t group = open[below(open.size())];
            const int64_t s = below(in[group].size()), t = below(out[group].size());
            const int32_t i = in[group][s], j = out[group][t];
            return Proposal{group, s, t, double(f_[j]) - f_[i] - q_->at(i, j)};
        };
        double typical = 0;
        for (int trial = 0; trial < 64; ++trial) typical += std::abs(propose().delta);
        typical /= 64;
        if (!(typical > 0)) return;
        const double ratio = num_sweeps > 1 ? std::pow(0.05, 1.0 / (num_sweeps - 1)) : 1;
        double temperature = typical;
        for (int64_t sweep = 0; sweep < num_sweeps; ++sweep, temperature *= ratio) {
            if (control.should_stop()) break;
            for (int64_t step = 0; step < n_; ++step) {
                const Proposal p = propose();
                if (p.delta > 0) {
                    const double u = (splitmix64(rng) >> 11) * 0x1p-53;
                    if (u >= std::exp(-p.delta / temperature)) continue;
                }
                int32_t &i = in[p.group][p.s], &j = out[p.group][p.t];
                q_->add(f_.data(), j, T(1));
                q_->add(f_.data(), i, T(-1));
                std::swap(i, j);
            }
        }
        chosen_.clear();
        for (const auto& group : in) chosen_.insert(chosen_.end(), group.begin(), group.end());
        for (const auto& group : out)
            for (int32_t j : group) free_[j] = 1;
        for (int32_t i : chosen_) free_[i] = 0;
    }

    double total() const {
        double linear = 0, pairs = 0;
        for (int32_t i : chosen_) {
            linear += a_[i];
            for (int32_t j : chosen_)
                if (j != i) pairs += q_->at(i, j);
        }
        return linear + pairs / 2;
    }

    int64_t n_, groups_, size_, k_;
    std::vector<T> f_, g_;
    std::vector<uint8_t> free_;
    std::vector<int32_t> chosen_, order_;
    const Couplings* q_ = nullptr;
    const T* a_ = nullptr;
};

template <class T, class Couplings, class Pick>
nb::tuple run(Matrix<T> linear, Matrix<uint8_t> allowed, Matrix<int32_t> initial,
              int64_t k, int64_t groups, int64_t num_reads, int64_t num_sweeps,
              uint64_t seed, int num_threads, Pick pick) {
    const int64_t problems = linear.shape(0), n = linear.shape(1);
    const int64_t ones = groups * k;
    std::vector<int32_t> indices(problems * ones);
    std::vector<double> energies(problems);
    Control control(0);
    {
        nb::gil_scoped_release release;
        // Small problems go in packs: a group should outlast its start.
        const int64_t pack = std::max<int64_t>(1, 4096 / std::max<int64_t>(n * k, 1));
        parallel_groups((problems + pack - 1) / pack, num_threads, control,
                        [&](int64_t group) {
            Solver<Couplings> solver(n, groups, k);
            const int64_t last = std::min(problems, (group + 1) * pack);
            for (int64_t p = group * pack; p < last && !control.should_stop(); ++p)
                solver.solve(pick(p), linear.data() + p * n,
                             allowed.data() + (allowed.shape(0) == 1 ? 0 : p * n),
                             initial.shape(0) ? initial.data() + p * ones : nullptr,
                             num_reads, num_sweeps, read_state(seed, p), control,
                             indices.data() + p * ones, energies.data() + p);
        });
    }
    control.rethrow();
    return nb::make_tuple(
        to_numpy(std::move(indices), {size_t(problems), size_t(ones)}),
        to_numpy(std::move(energies), {size_t(problems)}));
}

template <class T>
nb::tuple select_dense(Matrix<T> linear, Cube<T> quadratic, Matrix<uint8_t> allowed,
                       Matrix<int32_t> initial, int64_t k, int64_t groups,
                       int64_t num_reads, int64_t num_sweeps, uint64_t seed,
                       int num_threads) {
    const int64_t problems = linear.shape(0), n = linear.shape(1);
    const int64_t shared = problems / std::max<int64_t>(1, quadratic.shape(0));
    const T* first = quadratic.data();
    return run<T, Dense<T>>(linear, allowed, initial, k, groups, num_reads,
                            num_sweeps, seed, num_threads, [=](int64_t p) {
                                return Dense<T>{first + p / shared * n * n, n};
                            });
}

template <class T>
nb::tuple select_sparse(Matrix<T> linear, Vector<int64_t> start, Vector<int32_t> column,
                        Vector<T> value, Matrix<uint8_t> allowed,
                        Matrix<int32_t> initial, int64_t k, int64_t groups,
                        int64_t num_reads, int64_t num_sweeps, uint64_t seed,
                       int num_threads) {
    const int64_t n = linear.shape(1);
    const Sparse<T> one{start.data(), column.data(), value.data(), n};
    return run<T, Sparse<T>>(linear, allowed, initial, k, groups, num_reads,
                             num_sweeps, seed, num_threads, [=](int64_t) { return one; });
}

template <class T>
void bind(nb::module_& module) {
    module.def("select_dense", &select_dense<T>, nb::arg("linear").noconvert(),
               nb::arg("quadratic").noconvert(), nb::arg("allowed"), nb::arg("initial"),
               nb::arg("k"), nb::arg("groups"), nb::arg("num_reads"),
               nb::arg("num_sweeps"), nb::arg("seed"), nb::arg("num_threads"));
    module.def("select_sparse", &select_sparse<T>, nb::arg("linear").noconvert(),
               nb::arg("start"), nb::arg("column"), nb::arg("value").noconvert(),
               nb::arg("allowed"), nb::arg("initial"), nb::arg("k"), nb::arg("groups"),
               nb::arg("num_reads"), nb::arg("num_sweeps"), nb::arg("seed"), nb::arg("num_threads"));
}

}  // namespace
}  // namespace qestim

void bind_cardinality(nb::module_& module) {
    qestim::bind<float>(module);
    qestim::bind<double>(module);
}
