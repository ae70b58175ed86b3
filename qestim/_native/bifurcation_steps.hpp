// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set. Discrete simulated bifurcation: the field
// J sign(x) is kept, and changes only by the rows of the spins whose sign did.
// Integer models keep it halved, as in SpinRange: 2 f + parity, f in int16; the others
// keep it in float.

// One read. The positions and momenta move in lockstep with the other reads of a group.
template <class Field>
struct Oscillators {
    Buffer<float> x, y;
    Buffer<Field> f;
    Buffer<int8_t> s, change, best;
    std::vector<int32_t> up, down;  // spins whose sign became +1 or -1 in this step
    double energy = 0, best_energy = std::numeric_limits<double>::infinity();

    explicit Oscillators(size_t padded)
        : x(padded), y(padded), f(padded), s(padded), change(padded), best(padded) {}

    void start(const Ramp& ramp, int64_t n, uint64_t read, const int8_t* given) {
        uint64_t state = read_state(ramp.seed, read);
        for (int64_t i = 0; i < n; ++i) {
            const uint64_t draw = splitmix64(state);
            const size_t k = static_cast<size_t>(i);
            const double unit = 0x1p-31 * ramp.amplitude;
            x[k] = static_cast<float>((static_cast<double>(draw >> 32) - 0x1p31) * unit);
            y[k] = static_cast<float>(
                (static_cast<double>(draw & 0xffffffff) - 0x1p31) * unit);
            if (ramp.given) x[k] = std::copysign(x[k], static_cast<float>(given[i]));
            s[k] = x[k] < 0 ? -1 : 1;
        }
    }
};

// Full rows: the flips of all reads go in strip of columns by strip of columns, so that
// a strip of J stays in the cache.
template <class Row>
struct DenseRows {
    static constexpr bool kInteger = sizeof(Row) == 1;
    using Field = std::conditional_t<kInteger, int16_t, float>;
    using Read = Oscillators<Field>;
    using V = Pack<QESTIM_WIDTH>;
    using RowV = std::conditional_t<kInteger, typename V::i8, typename V::f32>;
    static constexpr int64_t kLanes = QESTIM_WIDTH / static_cast<int>(sizeof(Row));

    const DenseModel& model;
    explicit DenseRows(const Couplings& c) : model(c.rows) {}
    size_t padded() const { return static_cast<size_t>(model.blocks) * 64; }
    double linear(int64_t i) const {
        if constexpr (kInteger) return model.h[i];
        else return static_cast<double>(model.h_f[i]);
    }
    // Of the couplings alone: the model's own counts the field too.
    int parity(int64_t i) const {
        if constexpr (!kInteger) return 0;
        else return (model.negate[static_cast<size_t>(i)] + 1 + model.h[i]) & 1;
    }
    const Row* row(int64_t i) const {
        if constexpr (kInteger) return model.rows.data() + i * model.stride;
        else return model.rows_f.data() + i * model.stride;
    }
    // The sum over j of J_ij s_j, in units.
    void fill(Read& read) const {
        std::vector<double> g(static_cast<size_t>(model.n));
        for (int64_t i = 0; i < model.n; ++i) {
            const double s = (kInteger ? 1.0 : 0.5) * read.s[static_cast<size_t>(i)];
            const Row* w = row(i);
            for (int64_t j = 0; j < model.n; ++j)
                g[static_cast<size_t>(j)] += s * static_cast<double>(w[j]);
        }
        for (int64_t i = 0; i < model.n; ++i) {
            const size_t k = static_cast<size_t>(i);
            read.f[k] = static_cast<Field>(kInteger ? (g[k] - parity(i)) / 2 : g[k]);
        }
    }
    QESTIM_TARGET void add(Read* reads, int64_t count) const {
        const int64_t end = model.blocks * 64;
        int64_t at = 0;
        for (; at + 4 * kLanes <= end; at += 4 * kLanes)
            for (int64_t r = 0; r < count; ++r) strip<4>(reads[r], at);
        for (; at < end; at += kLanes)
            for (int64_t r = 0; r < count; ++r) strip<1>(reads[r], at);
    }

  private:
    // Rows of bytes are summed as bytes as long as the sums fit, and widened once.
    template <int Vectors>
    QESTIM_FORCE void strip(Read& read, int64_t at) const {
        const int32_t *up = read.up.data(), *down = read.down.data();
        int64_t ups = static_cast<int64_t>(read.up.size());
        int64_t downs = static_cast<int64_t>(read.down.size());
        const int64_t most = kInteger ? 127 / model.largest : ups + downs;
        while (ups + downs > 0) {
            const int64_t a = std::min(ups, most), b = std::min(downs, most - a);
            alignas(64) RowV sum[Vectors] = {};
            for (int64_t k = 0; k < a; ++k) {
                const RowV* w = reinterpret_cast<const RowV*>(row(up[k]) + at);
                for (int p = 0; p < Vectors; ++p) sum[p] += w[p];
            }
            for (int64_t k = 0; k < b; ++k) {
                const RowV* w = reinterpret_cast<const RowV*>(row(down[k]) + at);
                for (int p = 0; p < Vectors; ++p) sum[p] -= w[p];
            }
            alignas(64) Row sums[Vectors * kLanes];
            for (int p = 0; p < Vectors; ++p) reinterpret_cast<RowV*>(sums)[p] = sum[p];
            Field* f = read.f.data() + at;
            for (int64_t k = 0; k < Vectors * kLanes; ++k)
                f[k] = static_cast<Field>(f[k] + sums[k]);
            up += a, ups -= a, down += b, downs -= b;
        }
    }
};

// Compressed rows: a flip touches its neighbours.
template <class Weight>
struct SparseRows {
    static constexpr bool kInteger = sizeof(Weight) == 2;
    using Field = Weight;
    using Read = Oscillators<Field>;

    const SparseModel& model;
    explicit SparseRows(const Couplings& c) : model(c.lists) {}
    size_t padded() const { return static_cast<size_t>(model.n + 63) / 64 * 64; }
    double linear(int64_t i) const {
        if constexpr (kInteger) return model.h[i];
        else return static_cast<double>(model.h_f[i]);
    }
    int parity(int64_t i) const {
        if constexpr (!kInteger) return 0;
        else return (model.range[i].parity + model.h[i]) & 1;
    }
    // Of the integer ones half the change of the field, of the others all of it.
    Weight weight(int64_t e) const {
        if constexpr (kInteger) return model.weight[e];
        else return 2 * model.weight_f[e];
    }
    void fill(Read& read) const {
        for (int64_t i = 0; i < model.n; ++i) {
            double g = 0;
            for (int64_t e = model.begin[i]; e < model.begin[i + 1]; ++e)
                g += (kInteger ? 1.0 : 0.5) * static_cast<double>(weight(e)) *
                     read.s[static_cast<size_t>(model.neighbour[e])];
            read.f[static_cast<size_t>(i)] =
                static_cast<Field>(kInteger ? (g - parity(i)) / 2 : g);
        }
    }
    void add(Read* reads, int64_t count) const {
        for (int64_t r = 0; r < count; ++r) {
            Field* f = reads[r].f.data();
            for (const int32_t i : reads[r].up)
                for (int64_t e = model.begin[i]; e < model.begin[i + 1]; ++e)
                    f[model.neighbour[e]] =
                        static_cast<Field>(f[model.neighbour[e]] + weight(e));
            for (const int32_t i : reads[r].down)
                for (int64_t e = model.begin[i]; e < model.begin[i + 1]; ++e)
                    f[model.neighbour[e]] =
                        static_cast<Field>(f[model.neighbour[e]] - weight(e));
        }
    }
};

// A symplectic Euler step of every oscillator, and the walls. Marks changes of sign.
template <class Field>
QESTIM_TARGET void move(Oscillators<Field>& read, int64_t padded, const float* bias,
                        float detuning, float kick, float drift) {
    float* __restrict x = read.x.data();
    float* __restrict y = read.y.data();
    const Field* __restrict f = read.f.data();
    const int8_t* __restrict s = read.s.data();
    int8_t* __restrict change = read.change.data();
    constexpr float kHalved = sizeof(Field) == 2 ? 2.0f : 1.0f;
    for (int64_t i = 0; i < padded; ++i) {
        const float g = kHalved * static_cast<float>(f[i]) + bias[i];
        const float v = y[i] - (detuning * x[i] + kick * g);
        const float p = x[i] + drift * v;
        // Written so that the walls take in what is not a number too.
        const bool inside = p > -1.0f && p < 1.0f;
        x[i] = inside ? p : p < 0 ? -1.0f : 1.0f;
        y[i] = inside ? v : 0.0f;
        const int8_t sign = p < 0 ? -1 : 1;
        change[i] = static_cast<int8_t>(sign ^ s[i]);
    }
}

// Sum of s g over the spins that changed, s being their new sign.
template <class Field>
double flipped_sum(const Oscillators<Field>& read, const float* bias) {
    constexpr double kHalved = sizeof(Field) == 2 ? 2 : 1;
    double sum = 0;
    for (const int32_t i : read.up)
        sum += kHalved * static_cast<double>(read.f[i]) + static_cast<double>(bias[i]);
    for (const int32_t i : read.down)
        sum -= kHalved * static_cast<double>(read.f[i]) + static_cast<double>(bias[i]);
    return sum;
}

template <class Field>
void collect(Oscillators<Field>& read, int64_t padded) {
    read.up.clear();
    read.down.clear();
    for (int64_t at = 0; at < padded; at += 8) {
        uint64_t some;
        std::memcpy(&some, read.change.data() + at, sizeof some);
        while (some) {
            const int byte = __builtin_ctzll(some) / 8;
            some &= ~(uint64_t{0xff} << (8 * byte));
            const size_t i = static_cast<size_t>(at + byte);
            int8_t& s = read.s[i];
            s = static_cast<int8_t>(-s);
            (s > 0 ? read.up : read.down).push_back(static_cast<int32_t>(i));
        }
    }
}

template <class Rows>
bool bifurcate(const Couplings& couplings, const Ramp& ramp, int64_t first,
               int64_t count, int8_t* spins, char* reached, Poll poll) {
    using Read = typename Rows::Read;
    const Rows rows(couplings);
    const int64_t n = couplings.size(), padded = static_cast<int64_t>(rows.padded());
    Buffer<float> bias(rows.padded());
    for (int64_t i = 0; i < n; ++i)
        bias[static_cast<size_t>(i)] =
            static_cast<float>(rows.parity(i) + rows.linear(i));
    std::vector<Read> reads;
    for (int64_t r = 0; r < count; ++r) {
        reads.emplace_back(rows.padded());
        reads.back().start(ramp, n, static_cast<uint64_t>(first + r), spins + r * n);
    }
    const auto refresh = [&](Read& read) {
        rows.fill(read);
        constexpr double kHalved = Rows::kInteger ? 2 : 1;
        double twice = 0;
        for (int64_t i = 0; i < n; ++i) {
            const size_t k = static_cast<size_t>(i);
            twice += read.s[k] * (kHalved * static_cast<double>(read.f[k]) +
                                  rows.parity(i) + 2 * rows.linear(i));
        }
        read.energy = twice / 2;
    };
    bool ended = false;
    const auto judge = [&](int64_t r) {
        Read& read = reads[static_cast<size_t>(r)];
        if (read.energy >= read.best_energy) return;
        read.best_energy = read.energy;
        std::memcpy(read.best.data(), read.s.data(), static_cast<size_t>(n));
        if (read.energy <= ramp.target && ramp.reaches(read.best.data()))
            reached[r] = 1, ended = true;
    };
    for (int64_t r = 0; r < count; ++r) {
        refresh(reads[static_cast<size_t>(r)]);
        judge(r);
    }
    constexpr int64_t kRefill = 1000;  // steps between new sums of float fields
    const float drift = static_cast<float>(ramp.dt * ramp.a0);
    const float kick = static_cast<float>(ramp.dt * ramp.strength);
    bool stopped = false;
    for (int64_t step = 0; step < ramp.num_steps && !ended && !stopped; ++step) {
        const float detuning = static_cast<float>(ramp.dt * (ramp.a0 - ramp.pump[step]));
        int64_t flips = 0;
        for (Read& read : reads) {
            move(read, padded, bias.data(), detuning, kick, drift);
            for (int64_t i = n; i < padded; ++i) read.change[static_cast<size_t>(i)] = 0;
            collect(read, padded);
            flips += static_cast<int64_t>(read.up.size() + read.down.size());
            read.energy += flipped_sum(read, bias.data());
        }
        if (flips > 0) rows.add(reads.data(), count);
        for (int64_t r = 0; r < count; ++r) {
            Read& read = reads[static_cast<size_t>(r)];
            if (read.up.empty() && read.down.empty()) continue;
            read.energy += flipped_sum(read, bias.data());
            if (!Rows::kInteger && step % kRefill == kRefill - 1) refresh(read);
            judge(r);
        }
        stopped = poll();
    }
    for (int64_t r = 0; r < count; ++r) {
        Read& read = reads[static_cast<size_t>(r)];
        std::memcpy(spins + r * n, ramp.keep_best ? read.best.data() : read.s.data(),
                    static_cast<size_t>(n));
    }
    return !stopped;
}

inline BifurcationKernel choose_bifurcation(const Couplings& c) {
    if (c.dense)
        return c.integer ? &bifurcate<DenseRows<int8_t>> : &bifurcate<DenseRows<float>>;
    return c.integer ? &bifurcate<SparseRows<int16_t>> : &bifurcate<SparseRows<float>>;
}
