// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set. Dense models: a vector of spins of one read.
// Spins are visited in blocks of 64: thresholds for the block at once, flips in order
// on a copy of the block's fields, then all flipped rows go into the whole field in
// one pass. The reads of a group take turns at each block and so share its rows.

constexpr int kBlock = 64;

// The fields of the int8 rows are the halved ones of SpinRange, in int16; those of the
// float rows are g.
template <class Row>
struct DenseTypes;
template <>
struct DenseTypes<int8_t> {
    using Field = int16_t;
    using Sign = int16_t;
    static constexpr Sign kMinus = -1;
};
template <>
struct DenseTypes<float> {
    using Field = float;
    using Sign = int32_t;
    static constexpr Sign kMinus = INT32_MIN;
};

template <class Row, bool Gibbs>
struct DenseRead {
    using Field = typename DenseTypes<Row>::Field;
    using Sign = typename DenseTypes<Row>::Sign;
    static constexpr Sign kMinus = DenseTypes<Row>::kMinus;
    static constexpr bool kInteger = sizeof(Row) == 1;
    static constexpr int kBytes = QESTIM_WIDTH;
    using V = Pack<kBytes>;
    using F32 = typename V::f32;
    using I32 = typename V::i32;
    using I16 = typename V::i16;
    using I8 = typename V::i8;
    using U64 = typename V::u64;
    using FieldV = std::conditional_t<kInteger, I16, F32>;
    using SignV = std::conditional_t<kInteger, I16, I32>;
    static constexpr int kWords = kBlock * 4 / kBytes;
    static constexpr int kParts = kBlock * static_cast<int>(sizeof(Field)) / kBytes;
    static constexpr int kLanes = kBytes / static_cast<int>(sizeof(Field));

    const DenseModel& model;
    Buffer<Field> field;
    Buffer<Sign> minus;
    Random<kBytes, kWords> random;

    explicit DenseRead(const DenseModel& m)
        : model(m), field(static_cast<size_t>(m.blocks) * kBlock),
          minus(static_cast<size_t>(m.blocks) * kBlock) {}

    const Row* row(int64_t i) const {
        if constexpr (kInteger) return model.rows.data() + i * model.stride;
        else return model.rows_f.data() + i * model.stride;
    }

    void load(const int8_t* spins) {
        for (int64_t i = 0; i < model.n; ++i)
            minus[static_cast<size_t>(i)] = spins[i] < 0 ? kMinus : 0;
        fill_fields();
    }
    QESTIM_TARGET void fill_fields() {
        const int64_t n = model.n;
        std::vector<std::conditional_t<kInteger, int32_t, double>> g(n);
        for (int64_t j = 0; j < n; ++j) {
            if constexpr (kInteger) g[j] = model.h[j] - model.negate[j] - 1;
            else g[j] = static_cast<double>(model.h_f[j]);
        }
        for (int64_t i = 0; i < n; ++i) {
            const Row* w = row(i);
            if constexpr (kInteger) {
                const int32_t s = minus[static_cast<size_t>(i)] ? -1 : 1;
                for (int64_t j = 0; j < n; ++j) g[j] += s * w[j];
            } else {
                const double s = minus[static_cast<size_t>(i)] ? -0.5 : 0.5;
                for (int64_t j = 0; j < n; ++j) g[j] += s * static_cast<double>(w[j]);
            }
        }
        for (int64_t j = 0; j < n; ++j)
            field[static_cast<size_t>(j)] = static_cast<Field>(kInteger ? g[j] / 2 : g[j]);
    }
    void store(int8_t* spins) const {
        for (int64_t i = 0; i < model.n; ++i)
            spins[i] = minus[static_cast<size_t>(i)] ? -1 : 1;
    }

    // The field at or below which each spin of the block stays (int8 rows: of f s,
    // float rows: of g s, and there equality flips).
    QESTIM_FORCE void draw(FieldV* limit, int64_t at, float scale) {
        if constexpr (kInteger) {
            draw_limits<kBytes, Gibbs>(limit, random, model.half.data() + at, scale,
                                       32767.0f);
        } else {
            for (int p = 0; p < kParts; ++p)
                limit[p] = -(scale * threshold<kBytes, Gibbs>(random.next(p)));
        }
    }

    QESTIM_FORCE SignV flips(FieldV f, SignV s, FieldV limit, SignV negate) const {
        if constexpr (kInteger) return ((f ^ s) - (s & negate)) > limit;
        else return (SignV)((FieldV)((SignV)f ^ s) >= limit);
    }

    // The first spin from `next` on whose element is set, or kBlock.
    QESTIM_FORCE static int first_set(const Sign* flip, int next) {
        constexpr int kEach = 8 / static_cast<int>(sizeof(Sign));
        while (next < kBlock && next % kEach != 0) {
            if (flip[next]) return next;
            ++next;
        }
        for (; next < kBlock; next += kEach) {
            uint64_t some;
            std::memcpy(&some, flip + next, sizeof some);
            if (some)
                return next + __builtin_ctzll(some) / (8 * static_cast<int>(sizeof(Sign)));
        }
        return kBlock;
    }

    // One block; leaves the rows of the flipped spins in `up` (now +1) and `down`.
    QESTIM_FORCE void block(int64_t b, float scale, const Row** up, int& ups,
                            const Row** down, int& downs) {
        const int64_t at = b * kBlock;
        const int end = static_cast<int>(std::min<int64_t>(kBlock, model.n - at));
        FieldV limit[kParts], f[kParts];
        SignV s[kParts], negate[kParts];
        draw(limit, at, scale);
        Sign* spin = minus.data() + at;
        for (int p = 0; p < kParts; ++p) {
            f[p] = reinterpret_cast<const FieldV*>(field.data() + at)[p];
            s[p] = reinterpret_cast<const SignV*>(spin)[p];
            negate[p] = SignV{};
            if constexpr (kInteger)
                negate[p] = reinterpret_cast<const I16*>(model.negate.data() + at)[p];
        }
        alignas(64) Sign flip[kBlock];
        for (int next = 0; next < end; ++next) {
            U64 found = {};
            for (int p = 0; p < kParts; ++p) {
                const SignV x = flips(f[p], s[p], limit[p], negate[p]);
                reinterpret_cast<SignV*>(flip)[p] = x;
                found |= (U64)x;
            }
            if (!any<kBytes>(found)) break;
            next = first_set(flip, next);
            if (next >= end) break;
            const Row* w = row(at + next);
            const bool plus = (spin[next] ^= kMinus) == 0;
            if (plus) up[ups++] = w;
            else down[downs++] = w;
            // Without a branch on the sign: it cannot be predicted.
            alignas(64) Field add[kBlock];
            for (int k = 0; k < kBlock; ++k) add[k] = static_cast<Field>(w[at + k]);
            const Field sign = static_cast<Field>(plus ? 1 : -1);
            for (int p = 0; p < kParts; ++p)
                f[p] += sign * reinterpret_cast<const FieldV*>(add)[p];
        }
    }

    // The flipped rows into the whole field. int8 rows are summed as bytes as long as
    // the sums fit, and widened once.
    QESTIM_FORCE void spread(const Row** up, int ups, const Row** down, int downs) {
        constexpr int64_t kChunk = kInteger ? 4 : 1;
        const int most = kInteger ? 127 / model.largest : kBlock;
        while (ups + downs > 0) {
            const int a = std::min(ups, most), b = std::min(downs, most - a);
            int64_t c = 0;
            for (; c + kChunk <= model.blocks; c += kChunk)
                add_rows<kChunk>(c * kBlock, up, a, down, b);
            for (; c < model.blocks; ++c) add_rows<1>(c * kBlock, up, a, down, b);
            up += a, ups -= a, down += b, downs -= b;
        }
    }
    template <int Blocks>
    QESTIM_FORCE void add_rows(int64_t at, const Row** up, int ups, const Row** down,
                               int downs) {
        using RowV = std::conditional_t<kInteger, typename V::i8, F32>;
        constexpr int kVectors =
            Blocks * kBlock * static_cast<int>(sizeof(Row)) / kBytes;
        alignas(64) RowV sum[kVectors] = {};
        for (int k = 0; k < ups; ++k)
            for (int p = 0; p < kVectors; ++p)
                sum[p] += reinterpret_cast<const RowV*>(up[k] + at)[p];
        for (int k = 0; k < downs; ++k)
            for (int p = 0; p < kVectors; ++p)
                sum[p] -= reinterpret_cast<const RowV*>(down[k] + at)[p];
        Field* f = field.data() + at;
        alignas(64) Row sums[Blocks * kBlock];
        for (int p = 0; p < kVectors; ++p) reinterpret_cast<RowV*>(sums)[p] = sum[p];
        for (int k = 0; k < Blocks * kBlock; ++k)
            f[k] = static_cast<Field>(f[k] + sums[k]);
    }

    QESTIM_TARGET void visit(int64_t b, float scale) {
        const Row *up[kBlock], *down[kBlock];
        int ups = 0, downs = 0;
        block(b, scale, up, ups, down, downs);
        if (ups + downs > 0) spread(up, ups, down, downs);
    }

    // 64 attempts at any spins: each flip goes into the whole field at once.
    QESTIM_TARGET void visit(const int32_t* order, int count, float scale) {
        alignas(64) float depth[kBlock];
        for (int w = 0; w < kWords; ++w)
            reinterpret_cast<F32*>(depth)[w] =
                scale * threshold<kBytes, Gibbs>(random.next(w));
        for (int k = 0; k < count; ++k) {
            const int32_t i = order[k];
            float g = static_cast<float>(field[static_cast<size_t>(i)]);
            if constexpr (kInteger) g += model.half[static_cast<size_t>(i)];
            Sign& s = minus[static_cast<size_t>(i)];
            if (!((s ? -g : g) >= -depth[k])) continue;
            s ^= kMinus;
            const Row* w = row(i);
            spread(&w, s == 0, &w, s != 0);
        }
    }
};

template <class Row, bool Gibbs>
bool run_dense(const DenseModel& model, const Schedule& schedule, int64_t first,
               int64_t count, int8_t* spins, Poll poll) {
    using Read = DenseRead<Row, Gibbs>;
    std::vector<std::unique_ptr<Read>> reads;
    for (int64_t r = 0; r < count; ++r) {
        reads.push_back(std::make_unique<Read>(model));
        reads.back()->load(spins + r * model.n);
        reads.back()->random.seed(schedule.seed,
                                  static_cast<uint64_t>(first + r) * kBlock);
    }
    std::vector<int32_t> order(schedule.random_order ? model.n : 0);
    constexpr int64_t kRefill = 1000;  // sweeps between new sums of float fields
    int64_t since = 0;
    bool done = true;
    for (int64_t sweep = 0; sweep < schedule.num_sweeps && done; ++sweep) {
        const double unit = Read::kInteger ? 4 : 2;
        const float scale =
            static_cast<float>(1 / (unit * std::max(schedule.betas[sweep], 1e-30)));
        if (schedule.random_order) shuffle_order(order, schedule.seed, sweep);
        for (int64_t b = 0; b < model.blocks && done; ++b) {
            for (auto& read : reads) {
                if (schedule.random_order) {
                    const int64_t left = model.n - b * kBlock;
                    read->visit(order.data() + b * kBlock,
                                static_cast<int>(std::min<int64_t>(kBlock, left)),
                                scale);
                } else {
                    read->visit(b, scale);
                }
            }
            if ((since += count) >= 16) {
                done = !poll();
                since = 0;
            }
        }
        if (!Read::kInteger && sweep % kRefill == kRefill - 1)
            for (auto& read : reads) read->fill_fields();
    }
    for (int64_t r = 0; r < count; ++r)
        reads[static_cast<size_t>(r)]->store(spins + r * model.n);
    return done;
}

template <class Row>
bool anneal_dense(const DenseModel& model, const Schedule& schedule, int64_t first,
                  int64_t count, int8_t* spins, Poll poll) {
    return schedule.gibbs
               ? run_dense<Row, true>(model, schedule, first, count, spins, poll)
               : run_dense<Row, false>(model, schedule, first, count, spins, poll);
}
