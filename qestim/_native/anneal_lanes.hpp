// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set. Sparse models with any weights: lanes of
// reads, the field in float or (integer models) in int16; one 32-bit random number a
// read and attempt, turned into the deepest field that still flips.

template <class T, int Lanes, int Bytes, bool Gibbs>
struct LaneGroup {
    using V = Pack<Bytes>;
    using F32 = typename V::f32;
    using I32 = typename V::i32;
    using I16 = typename V::i16;
    using U64 = typename V::u64;
    static constexpr bool kInteger = sizeof(T) == 2;
    using Field = std::conditional_t<kInteger, I16, F32>;
    using Mask = std::conditional_t<kInteger, I16, I32>;
    using Sign = std::conditional_t<kInteger, int16_t, int32_t>;
    static constexpr int kWords = Lanes / (Bytes / 4);          // vectors of numbers
    static constexpr int kParts = Lanes * sizeof(T) / Bytes;    // vectors of fields

    const SparseModel& model;
    Buffer<T> field;     // f of SpinRange, or g; [spin][lane]
    Buffer<Sign> minus;  // 0, or for spin -1: -1 (int16), the sign bit (float)
    Random<Bytes, kWords> random;
    static constexpr Sign kMinus =
        kInteger ? static_cast<Sign>(-1) : static_cast<Sign>(0x80000000u);

    static int lane_of(int read) {
        if constexpr (!kInteger) return read;
        const int vector = read / (Bytes / 4), word = read % (Bytes / 4);
        return (vector / 2) * (Bytes / 2) + 2 * word + vector % 2;
    }

    explicit LaneGroup(const SparseModel& m)
        : model(m), field(static_cast<size_t>(m.n) * Lanes),
          minus(static_cast<size_t>(m.n) * Lanes) {}

    void load(const int8_t* spins, int64_t count) {
        for (int64_t r = 0; r < count; ++r)
            for (int64_t i = 0; i < model.n; ++i)
                minus[static_cast<size_t>(i * Lanes + lane_of(static_cast<int>(r)))] =
                    spins[r * model.n + i] < 0 ? kMinus : 0;
        fill_fields();
    }
    // From the spins alone: the start, and against the drift of float fields.
    void fill_fields() {
        for (int64_t i = 0; i < model.n; ++i) {
            std::conditional_t<kInteger, int32_t, double> g[Lanes];
            for (int l = 0; l < Lanes; ++l) {
                if constexpr (kInteger)
                    g[l] = model.h[i] - model.range[i].parity;
                else
                    g[l] = static_cast<double>(model.h_f[i]);
            }
            for (int64_t e = model.begin[i]; e < model.begin[i + 1]; ++e) {
                const Sign* s = minus.data() + int64_t{model.neighbour[e]} * Lanes;
                for (int l = 0; l < Lanes; ++l) {
                    if constexpr (kInteger)
                        g[l] += s[l] ? -model.weight[e] : model.weight[e];
                    else
                        g[l] += static_cast<double>(s[l] ? -model.weight_f[e]
                                                         : model.weight_f[e]);
                }
            }
            for (int l = 0; l < Lanes; ++l)
                field[static_cast<size_t>(i * Lanes + l)] =
                    static_cast<T>(kInteger ? g[l] / 2 : g[l]);
        }
    }
    void store(int8_t* spins, int64_t count) const {
        for (int64_t r = 0; r < count; ++r)
            for (int64_t i = 0; i < model.n; ++i)
                spins[r * model.n + i] =
                    minus[static_cast<size_t>(i * Lanes +
                                              lane_of(static_cast<int>(r)))]
                        ? -1
                        : 1;
    }

    // `scale`: 1 / (2 beta), in the units of the field.
    QESTIM_TARGET void attempts(const int32_t* order, int64_t from, int64_t until,
                                float scale) {
        Random<Bytes, kWords> rng = random;
        for (int64_t t = from; t < until; ++t) {
            const int64_t i = order ? order[t] : t;
            Field* f = reinterpret_cast<Field*>(field.data() + i * Lanes);
            Mask* s = reinterpret_cast<Mask*>(minus.data() + i * Lanes);
            F32 depth[kWords];
            for (int w = 0; w < kWords; ++w)
                depth[w] = scale * threshold<Bytes, Gibbs>(rng.next(w));
            Mask flip[kParts], sign[kParts];
            U64 flips = {};
            if constexpr (kInteger) {
                const int parity = model.range[i].parity;
                const I16 negate = I16{} + static_cast<int16_t>(parity - 1);
                const float half = 0.5f * static_cast<float>(parity);
                const F32 most = F32{} + 32767.0f, least = F32{} - 32767.0f;
                I32 deep[kWords];
                for (int w = 0; w < kWords; ++w) {
                    F32 x = depth[w] + half;
                    x = x < most ? x : most;
                    if constexpr (Gibbs) x = x > least ? x : least;
                    deep[w] = __builtin_convertvector(x, I32);
                    // Conversion cuts towards zero; the floor is wanted.
                    if constexpr (Gibbs)
                        deep[w] += (I32)(__builtin_convertvector(deep[w], F32) > x);
                }
                for (int p = 0; p < kParts; ++p) {
                    const I16 limit =
                        ~(I16)((deep[2 * p] & 0xffff) | (deep[2 * p + 1] << 16));
                    sign[p] = s[p];
                    flip[p] = ((f[p] ^ sign[p]) - (sign[p] & negate)) > limit;
                    flips |= (U64)flip[p];
                }
            } else {
                for (int p = 0; p < kParts; ++p) {
                    sign[p] = s[p];
                    flip[p] = (I32)((F32)((I32)f[p] ^ sign[p]) + depth[p] >= 0.0f);
                    flips |= (U64)flip[p];
                }
            }
            if (!any<Bytes>(flips)) continue;

            Field delta[kParts];  // s_i of the flipped lanes, 0 elsewhere (twice: float)
            for (int p = 0; p < kParts; ++p) {
                if constexpr (kInteger) {
                    s[p] = sign[p] ^= flip[p];
                    delta[p] = 2 * (sign[p] & flip[p]) - flip[p];
                } else {
                    s[p] = sign[p] ^= flip[p] & static_cast<int32_t>(0x80000000u);
                    delta[p] = (F32)(((I32)(F32{} + 2.0f) ^ sign[p]) & flip[p]);
                }
            }
            for (int64_t e = model.begin[i]; e < model.begin[i + 1]; ++e) {
                Field* to = reinterpret_cast<Field*>(
                    field.data() + int64_t{model.neighbour[e]} * Lanes);
                T w;
                if constexpr (kInteger) w = model.weight[e];
                else w = model.weight_f[e];
                for (int p = 0; p < kParts; ++p) to[p] += w * delta[p];
            }
        }
        random = rng;
    }
};

template <class T, int Lanes, int Bytes, bool Gibbs>
bool run_lanes(const SparseModel& model, const Schedule& schedule, int64_t first,
               int64_t count, int8_t* spins, Poll poll) {
    using Group = LaneGroup<T, Lanes, Bytes, Gibbs>;
    auto group = std::make_unique<Group>(model);
    group->load(spins, count);
    group->random.seed(schedule.seed, static_cast<uint64_t>(first) / 2);
    std::vector<int32_t> order(schedule.random_order ? model.n : 0);
    constexpr int64_t kAttempts = 4096;  // between two looks at the clock
    constexpr int64_t kRefill = 1000;    // sweeps between new sums of float fields
    int64_t since = 0;
    bool done = true;
    for (int64_t sweep = 0; sweep < schedule.num_sweeps && done; ++sweep) {
        const double unit = Group::kInteger ? 4 : 2;
        const double scale = 1 / (unit * std::max(schedule.betas[sweep], 1e-30));
        if (schedule.random_order) shuffle_order(order, schedule.seed, sweep);
        if (!Group::kInteger && sweep % kRefill == kRefill - 1) group->fill_fields();
        for (int64_t i = 0; i < model.n && done; i += kAttempts) {
            const int64_t until = std::min(model.n, i + kAttempts);
            group->attempts(schedule.random_order ? order.data() : nullptr, i, until,
                            static_cast<float>(scale));
            if ((since += until - i) >= kAttempts) {
                done = !poll();
                since = 0;
            }
        }
    }
    group->store(spins, count);
    return done;
}

template <class T>
bool anneal_lanes(const SparseModel& model, const Schedule& schedule, int64_t first,
                  int64_t count, int width, int8_t* spins, Poll poll) {
    constexpr int kHalf = QESTIM_WIDTH < 32 ? QESTIM_WIDTH : 32;
#define QESTIM_RUN(LANES, BYTES)                                                   \
    (schedule.gibbs ? run_lanes<T, LANES, BYTES, true>(model, schedule, first,     \
                                                       count, spins, poll)         \
                    : run_lanes<T, LANES, BYTES, false>(model, schedule, first,    \
                                                        count, spins, poll))
    return width > 16  ? QESTIM_RUN(32, QESTIM_WIDTH)
           : width > 8 ? QESTIM_RUN(16, kHalf)
                       : QESTIM_RUN(8, 16);
#undef QESTIM_RUN
}
