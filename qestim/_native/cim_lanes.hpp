// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set. Lanes of reads: amplitudes x, a second
// variable e (error, quadrature or momentum) and the feedback f of every spin.

#include "cim_matmul.hpp"

using Mask = Pack<QESTIM_WIDTH>::i32;

QESTIM_FORCE Real every(double value) { return Real{} + static_cast<float>(value); }
QESTIM_FORCE Real bounded(Real x, Real least, Real most) {
    x = x > least ? x : least;  // what is not a number becomes the bound
    return x < most ? x : most;
}
QESTIM_FORCE Real size_of(Real x) { return (Real)((Mask)x & 0x7fffffff); }

// exp(x) for |x| < 80: 2^whole times a Taylor sum of degree 6, error 2e-7.
QESTIM_FORCE Real exponential(Real x) {
    const Real t = x * 1.44269504f;
    const Real shift = every(12582912.0);  // 1.5 * 2^23: rounds to whole numbers
    const Real whole = (t + shift) - shift;
    const Real y = (t - whole) * 0.693147181f;
    Real sum = 1.0f + y * (1.0f / 6);
    sum = 1.0f + y * 0.2f * sum;
    sum = every(1.0) + y * 0.25f * (1.0f + y * 0.2f * (1.0f + y * (1.0f / 6)));
    sum = 1.0f + y * (1.0f + y * 0.5f * (1.0f + y * (1.0f / 3) * sum));
    const Mask power = (__builtin_convertvector(whole, Mask) + 127) << 23;
    return sum * (Real)power;
}
QESTIM_FORCE Real hyperbolic_tangent(Real x) {
    const Real y = bounded(x, every(-10), every(10));
    return 1.0f - 2.0f / (exponential(2.0f * y) + 1.0f);
}

// Two standard normal vectors from one draw each of angle and radius (Box and Muller).
QESTIM_FORCE void normals(Random<QESTIM_WIDTH, 1>& random, Real& a, Real& b) {
    const Mask radius = (Mask)((Pack<QESTIM_WIDTH>::u32)random.next(0) >> 1) | 1;
    const Mask angle = (Mask)((Pack<QESTIM_WIDTH>::u32)random.next(0) >> 1);
    const Real square = 2.0f * minus_log<QESTIM_WIDTH>(radius);
    Real length{};
    for (int k = 0; k < kWide; ++k) length[k] = __builtin_sqrtf(square[k]);
    // A quarter turn about each axis: |t| <= pi / 4, and the axis from two bits.
    const Real t = (__builtin_convertvector(angle & 0x1fffffff, Real) -
                    every(268435456.0)) * 2.92583616e-9f;
    const Real q = t * t;
    const Real sine =
        t * (1.0f - q * (1.0f / 6) * (1.0f - q * 0.05f * (1.0f - q * (1.0f / 42))));
    const Real cosine =
        1.0f - q * 0.5f *
                   (1.0f - q * (1.0f / 12) *
                               (1.0f - q * (1.0f / 30) * (1.0f - q * (1.0f / 56))));
    const Mask turned = (angle & 0x20000000) != 0;
    const Mask minus = (angle & 0x40000000) << 1;
    const Real c = turned ? -sine : cosine, s = turned ? cosine : sine;
    a = length * (Real)((Mask)c ^ minus);
    b = length * (Real)((Mask)s ^ minus);
}

struct Constants {
    Real dt, gain, target, rate, clip, xi, noise, k, least, most;
    QESTIM_FORCE Constants(const Evolution& run, const Instant& now)
        : dt(every(run.dt)), gain(every(now.pump - 1)), target(every(now.target)),
          rate(every(now.rate)), clip(every(now.clip)), xi(every(run.xi)),
          noise(every(run.noise * std::sqrt(run.dt))), k(every(run.k)),
          least(every(run.least_error)), most(every(run.most_error)) {}
};

// One Euler step of one spin; all right-hand sides are those of the old values. `f` has
// the scaled field in it; z1 and z2 are normal deviates, q the feedback of e (wigner).
template <Model M>
QESTIM_FORCE void advance(const Constants& c, Real& x, Real& e, Real f, Real q, Real z1,
                          Real z2) {
    const Real square = x * x;
    if constexpr (M == Model::cac) {
        const Real slope = (c.gain - square) * x - c.xi * e * f;
        e = bounded(e - c.dt * c.rate * e * (square - c.target), c.least, c.most);
        x = bounded(x + c.dt * slope, -c.clip, c.clip);
    } else if constexpr (M == Model::cfc) {
        const Real z = c.xi * e * f;
        x = bounded(x + c.dt * ((c.gain - square) * x - z), -c.clip, c.clip);
        e = bounded(e - c.dt * c.rate * e * (z * z - c.target), c.least, c.most);
    } else if constexpr (M == Model::sfc) {
        const Real z = c.xi * f, difference = z - e;
        const Real slope = (c.gain - square) * x - hyperbolic_tangent(c.target * z) -
                           c.k * difference;
        e = bounded(e + c.dt * c.rate * difference, -c.most, c.most);
        x = bounded(x + c.dt * slope, -c.clip, c.clip);
    } else if constexpr (M == Model::mean_field) {
        const Real slope = (c.gain - square) * x - c.xi * f;
        x = bounded(x + c.dt * slope + c.noise * z1, -c.clip, c.clip);
    } else if constexpr (M == Model::wigner) {
        const Real both = square + e * e, power = both + 0.5f;
        Real root{};
        for (int k = 0; k < kWide; ++k) root[k] = __builtin_sqrtf(power[k]);
        const Real slope = (c.gain - both) * x - c.xi * f;
        // p - 1 for the one quadrature is -p - 1 = -(p - 1) - 2 for the other.
        const Real other = (-c.gain - 2.0f - both) * e - c.xi * q;
        x = bounded(x + c.dt * slope + c.noise * root * z1, -c.clip, c.clip);
        e = bounded(e + c.dt * other + c.noise * root * z2, -c.clip, c.clip);
    } else {
        // gain holds a(t) - 1, k is a0.
        const Real momentum = e - c.dt * ((c.k - 1.0f - c.gain) * x + c.xi * f);
        const Real moved = x + c.dt * c.k * momentum;
        const Mask inside = (moved > -1.0f) & (moved < 1.0f);
        e = inside ? momentum : Real{};
        x = bounded(moved, every(-1), every(1));
    }
}

// The reads of a group, a vector of them at a time. The vectors of a tile stand side by
// side where J is full; where it is sparse each has a block of its own, so that the
// amplitudes of a step are near.
template <Model M>
struct Group {
    static constexpr bool kNoisy = M == Model::mean_field || M == Model::wigner;
    const Feedback& J;
    const Evolution& run;
    int64_t n, count, vectors, stride;
    Buffer<float> x, e, f, q, signs, best, best_energy, mean;
    Buffer<Random<QESTIM_WIDTH, 1>> random;  // one a vector

    Group(const Feedback& J, const Evolution& run, int64_t count)
        : J(J), run(run), n(J.n), count(count),
          vectors(J.dense ? (count + kLanes - 1) / kLanes * kTileVectors
                          : (count + kWide - 1) / kWide),
          stride(J.dense ? kLanes : kWide), x(all()), e(all()), f(all()),
          q(M == Model::wigner ? all() : 0), signs(all()), best(all()),
          best_energy(static_cast<size_t>(vectors * kWide)),
          mean(static_cast<size_t>(vectors * kWide)),
          random(static_cast<size_t>(vectors)) {}
    size_t all() const { return static_cast<size_t>(vectors * J.padded * kWide); }
    int64_t begin(int64_t vector) const {
        if (!J.dense) return vector * J.padded * kWide;
        return vector / kTileVectors * J.padded * kLanes + vector % kTileVectors * kWide;
    }
    size_t at(int64_t read, int64_t spin) const {
        return static_cast<size_t>(begin(read / kWide) + spin * stride + read % kWide);
    }

    void start(int64_t first, const int8_t* given) {
        for (int64_t r = 0; r < vectors * kWide; ++r) {
            uint64_t state = read_state(run.seed, static_cast<uint64_t>(first + r));
            double sum = 0;
            for (int64_t i = 0; i < n; ++i) {
                const double u = static_cast<double>(splitmix64(state) >> 11) * 0x1p-53;
                const double v = static_cast<double>(splitmix64(state) >> 11) * 0x1p-53;
                double a = 2 * u - 1, b = 2 * v - 1;
                if (!run.uniform) {
                    const double length = std::sqrt(-2 * std::log1p(-u));
                    a = length * std::cos(6.283185307179586 * v);
                    b = length * std::sin(6.283185307179586 * v);
                }
                a *= run.amplitude;
                if (run.given && r < count) a = std::copysign(a, given[r * n + i]);
                sum += std::fabs(a);
                x[at(r, i)] = static_cast<float>(a);
                const bool second = M == Model::wigner || M == Model::ballistic;
                e[at(r, i)] =
                    static_cast<float>(second ? run.amplitude * b : run.first_error);
            }
            mean[static_cast<size_t>(r)] = static_cast<float>(sum / static_cast<double>(n));
            best_energy[static_cast<size_t>(r)] = std::numeric_limits<float>::infinity();
        }
        for (int64_t v = 0; v < vectors; ++v)
            random[static_cast<size_t>(v)].seed(
                run.seed ^ 0x6e6f697365ULL,
                static_cast<uint64_t>((first + v * kWide) / 2));
    }

    // Steps one vector of reads. A full J has left its sums in f and q; of a sparse one
    // they are taken here, and the new amplitudes go to f and q for the old to stay.
    template <bool Dense>
    QESTIM_FORCE void move(const Constants& c, float zeta_now, int64_t v) {
        constexpr bool kPair = M == Model::wigner;
        const int64_t from = begin(v), apart = Dense ? kLanes : kWide;
        float *old_x = x.data() + from, *old_e = e.data() + from;
        float* new_x = Dense ? old_x : f.data() + from;
        float* new_e = Dense || !kPair ? old_e : q.data() + from;
        Random<QESTIM_WIDTH, 1> noise = random[static_cast<size_t>(v)];
        Real& average = reinterpret_cast<Real*>(mean.data())[v];
        const Real zeta = run.mean_amplitude ? zeta_now * average : Real{} + zeta_now;
        Real sum{}, z1{}, z2{}, spare{};
        for (int64_t i = 0; i < n; ++i) {
            const int64_t k = i * apart;
            Real a = *reinterpret_cast<const Real*>(old_x + k);
            Real b = *reinterpret_cast<const Real*>(old_e + k);
            Real back, other{};
            if constexpr (Dense) {
                back = *reinterpret_cast<const Real*>(f.data() + from + k);
                if constexpr (kPair)
                    other = *reinterpret_cast<const Real*>(q.data() + from + k);
            } else {
                back = row_sum(J, old_x, i);
                if constexpr (kPair) other = row_sum(J, old_e, i);
            }
            back += zeta * J.h[static_cast<size_t>(i)];
            if constexpr (kPair) normals(noise, z1, z2);
            if constexpr (M == Model::mean_field) {
                if (i % 2 == 0) normals(noise, z1, spare);
                else z1 = spare;
            }
            advance<M>(c, a, b, back, other, z1, z2);
            *reinterpret_cast<Real*>(new_x + k) = a;
            *reinterpret_cast<Real*>(new_e + k) = b;
            sum += size_of(a);
        }
        average = sum * every(1 / static_cast<double>(n));
        random[static_cast<size_t>(v)] = noise;
    }

    QESTIM_TARGET void step(const Instant& now) {
        const Constants c(run, now);
        const float zeta = static_cast<float>(now.zeta);
        if (J.dense) {
            multiply_dense(J, x.data(), f.data(), vectors / kTileVectors);
            if constexpr (M == Model::wigner)
                multiply_dense(J, e.data(), q.data(), vectors / kTileVectors);
            for (int64_t v = 0; v < vectors; ++v) move<true>(c, zeta, v);
        } else {
            for (int64_t v = 0; v < vectors; ++v) move<false>(c, zeta, v);
            std::swap(x, f);
            if constexpr (M == Model::wigner) std::swap(e, q);
        }
    }

    // Energies of the signs; keeps the best signs of each read. f is free here.
    QESTIM_TARGET void look(double bound, char* promising) {
        for (size_t k = 0; k < all(); k += kWide) {
            const Real a = *reinterpret_cast<const Real*>(x.data() + k);
            *reinterpret_cast<Real*>(signs.data() + k) = a < 0 ? every(-1) : every(1);
        }
        if (J.dense) multiply_dense(J, signs.data(), f.data(), vectors / kTileVectors);
        for (int64_t v = 0; v < vectors; ++v) {
            const float* s = signs.data() + begin(v);
            const float* field = f.data() + begin(v);
            Real energy{};
            // Sums of 64 terms keep the rounding of long sums small.
            for (int64_t from = 0; from < n; from += 64) {
                Real part{};
                for (int64_t i = from; i < std::min(n, from + 64); ++i) {
                    const Real back =
                        J.dense ? *reinterpret_cast<const Real*>(field + i * stride)
                                : row_sum(J, s, i);
                    part += *reinterpret_cast<const Real*>(s + i * stride) *
                            (0.5f * back + J.h[static_cast<size_t>(i)]);
                }
                energy += part;
            }
            Real& lowest = reinterpret_cast<Real*>(best_energy.data())[v];
            const Mask better = energy < lowest;
            if (!any<QESTIM_WIDTH>((Pack<QESTIM_WIDTH>::u64)better)) continue;
            lowest = better ? energy : lowest;
            float* kept = best.data() + begin(v);
            for (int64_t i = 0; i < n; ++i) {
                Real& one = *reinterpret_cast<Real*>(kept + i * stride);
                one = better ? *reinterpret_cast<const Real*>(s + i * stride) : one;
            }
            for (int k = 0; k < kWide; ++k)
                promising[v * kWide + k] =
                    better[k] && static_cast<double>(energy[k]) <= bound;
        }
    }
    void store(bool kept, int64_t read, int8_t* spins) const {
        const Buffer<float>& from = kept ? best : x;
        for (int64_t i = 0; i < n; ++i) spins[i] = from[at(read, i)] < 0 ? -1 : 1;
    }
};

template <Model M>
bool evolve(const Feedback& J, const Evolution& run, int64_t first, int64_t count,
            int8_t* spins, char* reached, Poll poll) {
    Group<M> group(J, run, count);
    group.start(first, spins);
    std::vector<char> promising(static_cast<size_t>(group.vectors * kWide));
    int64_t moment = 0;
    bool ended = false, stopped = false;
    const auto record = [&](int64_t step) {
        if (moment == run.num_moments || run.moments[moment] != step) return;
        for (int64_t r = 0; r < count; ++r)
            for (int64_t i = 0; i < J.n; ++i)
                run.record[(r * run.num_moments + moment) * J.n + i] =
                    group.x[group.at(r, i)];
        ++moment;
    };
    const auto look = [&] {
        std::fill(promising.begin(), promising.end(), 0);
        group.look(run.target, promising.data());
        for (int64_t r = 0; r < count; ++r) {
            if (!promising[static_cast<size_t>(r)]) continue;
            group.store(true, r, spins + r * J.n);
            if (run.reaches(spins + r * J.n)) reached[r] = 1, ended = true;
        }
    };
    for (int64_t step = 0; step < run.num_steps && !ended && !stopped; ++step) {
        record(step);
        group.step(run.schedule[step]);
        stopped = poll();
        if ((step + 1) % run.interval == 0 || step + 1 == run.num_steps || stopped)
            look();
    }
    if (run.num_steps == 0) look();
    record(run.num_steps);
    for (int64_t r = 0; r < count; ++r)
        group.store(run.keep_best, r, spins + r * J.n);
    return !stopped;
}

inline CimKernel choose_cim(Model model) {
    switch (model) {
        case Model::cac: return &evolve<Model::cac>;
        case Model::cfc: return &evolve<Model::cfc>;
        case Model::sfc: return &evolve<Model::sfc>;
        case Model::mean_field: return &evolve<Model::mean_field>;
        case Model::wigner: return &evolve<Model::wigner>;
        default: return &evolve<Model::ballistic>;
    }
}
inline int lanes_of_vector() { return kWide; }
inline int height_of_panel() { return kHeight; }
