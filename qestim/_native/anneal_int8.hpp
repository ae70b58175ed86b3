// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set. Sparse models with small integers: lanes of
// reads, one byte a field.
//
// A 16-bit random number r a read and attempt is compared with the acceptance
// probabilities of the possible fields, from the highest field down: the count of
// those above r is the deepest field that still flips. The probabilities have 32 bits:
// their lower 16 decide at random, once for every 64 reads and 512 visits, whether the
// upper 16 are rounded up, so each read flips with the 32-bit probability.

constexpr int64_t kPatch = 512;

// The acceptance thresholds of one sweep, for both parities.
template <int Bytes>
class Ladder {
  public:
    int top[2];    // s f above this always flips; step k is s f = top - k
    int count[2];  // steps; below them nothing flips

    // low, high: the range of f s over all spins.
    Ladder(int low, int high, bool gibbs) : low_(low), high_(high), gibbs_(gibbs) {
        for (int parity = 0; parity < 2; ++parity) {
            chance_[parity].resize(high - low + 1);
            steps_[parity] = Buffer<int16_t>(chance_[parity].size() * (Bytes / 2));
        }
    }
    // Each threshold in all elements of a vector.
    const int16_t* steps(int parity) const { return steps_[parity].data(); }

    void set(double beta) {
        if (beta == beta_) return;
        beta_ = beta;
        for (int parity = 0; parity < 2; ++parity) {
            int f = gibbs_ ? high_ : std::min(high_, -1);
            while (f >= low_ && accept(f, parity) > 1 - 0x1p-33) --f;
            top[parity] = f;
            int k = 0;
            for (; f >= low_; --f, ++k) {
                const double chance = accept(f, parity);
                if (chance < 0x1p-33) break;
                chance_[parity][k] = chance * 65536;
            }
            count[parity] = k;
        }
    }
    void round(uint64_t state) {
        for (int parity = 0; parity < 2; ++parity)
            for (int k = 0; k < count[parity]; ++k) {
                const double whole = std::floor(chance_[parity][k]);
                const double coin = static_cast<double>(splitmix64(state) >> 11) * 0x1p-53;
                const double up = whole + (coin < chance_[parity][k] - whole);
                int16_t* step = steps_[parity].data() + k * (Bytes / 2);
                std::fill(step, step + Bytes / 2,
                          static_cast<int16_t>(std::min(up, 65535.0) - 32768));
            }
    }

  private:
    double accept(int f, int parity) const {
        const double x = 2 * beta_ * (2 * f + parity);
        return gibbs_ ? 1 / (1 + std::exp(-x)) : x >= 0 ? 1 : std::exp(x);
    }
    int low_, high_;
    bool gibbs_;
    double beta_ = -1;
    std::vector<double> chance_[2];  // times 2^16
    Buffer<int16_t> steps_[2];
};

template <int Lanes, int Bytes, bool Unit>
struct Int8Group {
    using V = Pack<Bytes>;
    using I8 = typename V::i8;
    using I16 = typename V::i16;
    using U64 = typename V::u64;
    static constexpr int kParts = Lanes / Bytes;  // vectors of bytes a spin
    static constexpr int kWords = 2 * kParts;     // vectors of 16-bit words a spin

    const SparseModel& model;
    Buffer<int8_t> field, minus;  // f, and 0 or -1 for spin +1 or -1; [spin][lane]
    Random<Bytes, kWords> random;
    Ladder<Bytes> ladder;

    // Word w of the random numbers belongs to read w; combining pairs of vectors of
    // words into one of bytes puts it here.
    static int lane_of(int read) {
        const int vector = read / (Bytes / 2), word = read % (Bytes / 2);
        return (vector / 2) * Bytes + 2 * word + vector % 2;
    }

    Int8Group(const SparseModel& m, int low, int high, bool gibbs)
        : model(m), field(static_cast<size_t>(m.n) * Lanes),
          minus(static_cast<size_t>(m.n) * Lanes), ladder(low, high, gibbs) {}

    void load(const int8_t* spins, int64_t count) {
        const int64_t n = model.n;
        for (int64_t r = 0; r < count; ++r)
            for (int64_t i = 0; i < n; ++i)
                minus[static_cast<size_t>(i * Lanes + lane_of(static_cast<int>(r)))] =
                    spins[r * n + i] < 0 ? -1 : 0;
        for (int64_t i = 0; i < n; ++i) {
            int32_t g[Lanes];
            for (int l = 0; l < Lanes; ++l) g[l] = model.h[i] - model.range[i].parity;
            for (int64_t e = model.begin[i]; e < model.begin[i + 1]; ++e) {
                const int8_t* s = minus.data() + int64_t{model.neighbour[e]} * Lanes;
                const int32_t w = model.weight[e];
                for (int l = 0; l < Lanes; ++l) g[l] += w * (1 + 2 * s[l]);
            }
            for (int l = 0; l < Lanes; ++l)
                field[static_cast<size_t>(i * Lanes + l)] = static_cast<int8_t>(g[l] / 2);
        }
    }
    void store(int8_t* spins, int64_t count) const {
        const int64_t n = model.n;
        for (int64_t r = 0; r < count; ++r)
            for (int64_t i = 0; i < n; ++i)
                spins[r * n + i] = static_cast<int8_t>(
                    1 + 2 * minus[static_cast<size_t>(
                                i * Lanes + lane_of(static_cast<int>(r)))]);
    }

    // Adds w s_j to the fields of the neighbours of the flipped lanes.
    QESTIM_FORCE void spread(int64_t i, const I8* flip, const I8* sign) {
        const int32_t* to = model.neighbour.data();
        const int64_t end = model.begin[i + 1];
        int64_t e = model.begin[i];
        I8 delta[kParts] = {};
        if constexpr (Unit) {
            for (int p = 0; p < kParts; ++p)
                delta[p] = 2 * (sign[p] & flip[p]) - flip[p];
            for (const int64_t middle = model.middle[i]; e < middle; ++e) {
                I8* f = reinterpret_cast<I8*>(field.data() + int64_t{to[e]} * Lanes);
                for (int p = 0; p < kParts; ++p) f[p] += delta[p];
            }
            for (; e < end; ++e) {
                I8* f = reinterpret_cast<I8*>(field.data() + int64_t{to[e]} * Lanes);
                for (int p = 0; p < kParts; ++p) f[p] -= delta[p];
            }
        } else {
            int16_t last = 0;
            for (; e < end; ++e) {
                const int16_t w = model.weight[e];
                if (w != last) {
                    const I8 splat = I8{} + static_cast<int8_t>(w);
                    for (int p = 0; p < kParts; ++p)
                        delta[p] = (splat & flip[p] & ~sign[p]) -
                                   (splat & flip[p] & sign[p]);
                    last = w;
                }
                I8* f = reinterpret_cast<I8*>(field.data() + int64_t{to[e]} * Lanes);
                for (int p = 0; p < kParts; ++p) f[p] += delta[p];
            }
        }
    }

    QESTIM_TARGET void attempts(const int32_t* order, int64_t from, int64_t until) {
        Random<Bytes, kWords> rng = random;  // in registers
        for (int64_t t = from; t < until; ++t) {
            const int64_t i = order ? order[t] : t;
            const SpinRange range = model.range[i];
            const int top = ladder.top[range.parity], all = ladder.count[range.parity];
            const int first = std::min(std::max(0, top - range.high), all);
            const int last = std::max(first, std::min(all, top - range.low + 1));
            I16 word[kWords], depth[kWords];
            for (int w = 0; w < kWords; ++w) {
                word[w] = (I16)rng.next(w);
                depth[w] = I16{} + static_cast<int16_t>(top - first);
            }
            const I16* step =
                reinterpret_cast<const I16*>(ladder.steps(range.parity));
            for (int k = first; k < last; ++k)
                for (int w = 0; w < kWords; ++w) depth[w] += word[w] < step[k];

            I8* f = reinterpret_cast<I8*>(field.data() + i * Lanes);
            I8* s = reinterpret_cast<I8*>(minus.data() + i * Lanes);
            const I8 negate = I8{} + static_cast<int8_t>(range.parity - 1);
            I8 flip[kParts], sign[kParts];
            U64 flips = {};
            for (int p = 0; p < kParts; ++p) {
                const I8 limit =
                    (I8)((depth[2 * p] & 0x00ff) | (depth[2 * p + 1] << 8));
                sign[p] = s[p];
                flip[p] = ((f[p] ^ sign[p]) - (sign[p] & negate)) > limit;
                flips |= (U64)flip[p];
            }
            if (!any<Bytes>(flips)) continue;
            for (int p = 0; p < kParts; ++p) s[p] = sign[p] ^= flip[p];
            spread(i, flip, sign);
        }
        random = rng;
    }
};

template <int Lanes, int Bytes, bool Unit>
bool run_int8(const SparseModel& model, const Schedule& schedule, int64_t first,
              int64_t count, int8_t* spins, Poll poll) {
    int low = 0, high = -1;
    for (const SpinRange& range : model.range) {
        low = std::min<int>(low, range.low);
        high = std::max<int>(high, range.high);
    }
    Int8Group<Lanes, Bytes, Unit> group(model, low, high, schedule.gibbs);
    group.load(spins, count);
    group.random.seed(schedule.seed, static_cast<uint64_t>(first) / 4);
    // A group lies within 64 reads that round the same way.
    uint64_t coins = read_state(schedule.seed ^ 0x726f756e64ULL,
                                static_cast<uint64_t>(first) / 64);
    std::vector<int32_t> order(schedule.random_order ? model.n : 0);
    constexpr int64_t kAttempts = 8192;  // between two looks at the clock
    int64_t since = 0;
    bool done = true;
    for (int64_t sweep = 0; sweep < schedule.num_sweeps && done; ++sweep) {
        group.ladder.set(schedule.betas[sweep]);
        if (schedule.random_order) shuffle_order(order, schedule.seed, sweep);
        for (int64_t i = 0; i < model.n && done; i += kPatch) {
            const int64_t until = std::min(model.n, i + kPatch);
            group.ladder.round(splitmix64(coins));
            group.attempts(schedule.random_order ? order.data() : nullptr, i, until);
            if ((since += until - i) >= kAttempts) {
                done = !poll();
                since = 0;
            }
        }
    }
    group.store(spins, count);
    return done;
}

inline bool anneal_int8(const SparseModel& model, const Schedule& schedule,
                        int64_t first, int64_t count, int width, int8_t* spins,
                        Poll poll) {
    constexpr int kHalf = QESTIM_WIDTH < 32 ? QESTIM_WIDTH : 32;
#define QESTIM_RUN(LANES, BYTES)                                                     \
    (model.unit ? run_int8<LANES, BYTES, true>(model, schedule, first, count, spins, \
                                               poll)                                 \
                : run_int8<LANES, BYTES, false>(model, schedule, first, count, spins, \
                                                poll))
    return width > 32   ? QESTIM_RUN(64, QESTIM_WIDTH)
           : width > 16 ? QESTIM_RUN(32, kHalf)
                        : QESTIM_RUN(16, 16);
#undef QESTIM_RUN
}
