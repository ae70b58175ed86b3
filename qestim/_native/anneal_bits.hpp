// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set. Complete graphs whose couplings are +w or -w:
// a row is a row of bits, and the fields of a read are bit planes.
//
// A flip moves every halved field (see SpinRange) by +1 or -1, so k flips move it by
// 2 c - k with c the number of +1. The counts c of 64 bits are summed in parallel by
// carry-save adders and added to the planes; k goes into one `offset` for all spins:
// field = (planes + offset) mod 2^planes. The diagonal bit is set, as if a spin were
// coupled to itself, which leaves in a field the excess of -1 where the spin is -1.

#if QESTIM_WIDTH >= 32

constexpr int kBlock = 64;
using V = Pack<QESTIM_WIDTH>;
constexpr int kParts = kBlock * 2 / QESTIM_WIDTH;  // vectors of the fields of a block
constexpr int kLanes = QESTIM_WIDTH / 2;
constexpr int kChunk = QESTIM_WIDTH / 8;           // words in a vector
constexpr int kTogether = 4;

// x + value in the lanes of part `part` of the block whose bit is set.
QESTIM_FORCE V::i16 add_where(V::i16 x, uint64_t bits, int part, int16_t value) {
#if QESTIM_WIDTH == 64
    return (V::i16)_mm512_mask_add_epi16((__m512i)x, (__mmask32)(bits >> (32 * part)),
                                         (__m512i)x, _mm512_set1_epi16(value));
#else
    const V::i16 lane = {1,     2,     4,      8,      16,     32,     64,      128,
                         0x100, 0x200, 0x400,  0x800,  0x1000, 0x2000, 0x4000, -0x8000};
    const auto word = static_cast<int16_t>(bits >> (16 * part));
    const V::i16 here = V::i16{} + word;
    // The planes hold the sum modulo 2^16: unsigned numbers may wrap.
    return (V::i16)((V::u16)x + (V::u16)((V::i16)((here & lane) == lane) & value));
#endif
}

// The bits of the lanes where a > b.
QESTIM_FORCE uint64_t greater(const V::i16* a, const V::i16* b) {
#if QESTIM_WIDTH == 64
    const uint64_t low = _mm512_cmpgt_epi16_mask((__m512i)a[0], (__m512i)b[0]);
    const uint64_t high = _mm512_cmpgt_epi16_mask((__m512i)a[1], (__m512i)b[1]);
    return low | high << 32;
#else
    uint64_t bits = 0;
    for (int p = 0; p < kParts; p += 2) {
        const __m256i both = _mm256_packs_epi16((__m256i)(a[p] > b[p]),
                                                (__m256i)(a[p + 1] > b[p + 1]));
        const int32_t some = _mm256_movemask_epi8(_mm256_permute4x64_epi64(both, 0xd8));
        bits |= static_cast<uint64_t>(static_cast<uint32_t>(some)) << (16 * p);
    }
    return bits;
#endif
}

// The two bits of a + b + c, in each bit.
struct Sum {
    V::u64 one, two;
};
QESTIM_FORCE Sum add(V::u64 a, V::u64 b, V::u64 c) {
#if QESTIM_WIDTH == 64
    return {(V::u64)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96),
            (V::u64)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xe8)};
#else
    const V::u64 odd = a ^ b;
    return {odd ^ c, (a & b) | (odd & c)};
#endif
}

QESTIM_FORCE void add_seven(const V::u64* row, V::u64* sum) {
    const Sum a = add(row[0], row[1], row[2]);
    const Sum b = add(a.one, row[3], row[4]);
    const Sum c = add(b.one, row[5], row[6]);
    const Sum twos = add(a.two, b.two, c.two);
    sum[0] = c.one, sum[1] = twos.one, sum[2] = twos.two;
}

template <bool Gibbs>
struct BitRead {
    const BitModel& model;
    Buffer<uint64_t> planes;  // [chunk of words][plane][word]
    Buffer<uint64_t> minus;   // bit set: the spin is -1
    uint32_t offset = 0;
    Random<QESTIM_WIDTH, kBlock * 4 / QESTIM_WIDTH> random;

    explicit BitRead(const BitModel& m)
        : model(m), planes(static_cast<size_t>(m.stride * m.planes)),
          minus(static_cast<size_t>(m.stride)) {}

    QESTIM_TARGET void load(const int8_t* spins) {
        for (int64_t i = 0; i < model.n; ++i)
            if (spins[i] < 0) minus[i / 64] |= uint64_t{1} << (i % 64);
        for (int64_t j = 0; j < model.n; ++j) {
            const uint64_t* w = model.rows.data() + j * model.stride;
            int64_t ups = 0;
            for (int64_t k = 0; k < model.stride; ++k)
                ups += __builtin_popcountll(w[k] ^ minus[k]);
            const int32_t below = minus[j / 64] >> (j % 64) & 1;
            const int32_t parity = model.parity[j / 64] >> (j % 64) & 1;
            const int32_t own = 1 - 2 * below;
            const int32_t g = static_cast<int32_t>(2 * ups - model.n) - own + model.h[j];
            const int32_t field = (g - parity) / 2 - below;
            uint64_t* word = words(j / 64);
            for (int q = 0; q < model.planes; ++q)
                word[q * kChunk] |= static_cast<uint64_t>(field >> q & 1) << (j % 64);
        }
    }
    void store(int8_t* spins) const {
        for (int64_t i = 0; i < model.n; ++i)
            spins[i] = minus[i / 64] >> (i % 64) & 1 ? -1 : 1;
    }
    // The words of a block, kChunk words from plane to plane.
    QESTIM_FORCE uint64_t* words(int64_t b) {
        return planes.data() + b / kChunk * kChunk * model.planes + b % kChunk;
    }

    // s f of the spins of a block.
    QESTIM_FORCE void signed_fields(V::i16* x, int64_t b) {
        const int top = 16 - model.planes;  // for the sign
        const uint64_t* word = words(b);
        const uint64_t below = minus[b];
        const auto start = static_cast<int16_t>(offset << top);
        for (int p = 0; p < kParts; ++p) x[p] = V::i16{} + start;
        for (int q = 0; q < model.planes; ++q)
            for (int p = 0; p < kParts; ++p)
                x[p] = add_where(x[p], word[q * kChunk], p,
                                 static_cast<int16_t>(1u << (top + q)));
        for (int p = 0; p < kParts; ++p) {
            x[p] >>= top;
            x[p] ^= add_where(V::i16{}, below, p, -1);
            x[p] = add_where(x[p], below & model.parity[b], p, -1);
        }
    }

    // Count rows, inverted where `invert` is set, into the planes of one chunk.
    template <int Count>
    QESTIM_FORCE void add_rows(V::u64* plane, int64_t at, const uint64_t* const* rows,
                               const uint64_t* invert) {
        V::u64 row[Count], sum[4];
        for (int k = 0; k < Count; ++k)
            row[k] = *reinterpret_cast<const V::u64*>(rows[k] + at) ^
                     (V::u64{} + invert[k]);
        constexpr int kSums = Count == 3 ? 2 : Count == 7 ? 3 : 4;
        if constexpr (Count == 3) {
            const Sum a = add(row[0], row[1], row[2]);
            sum[0] = a.one, sum[1] = a.two;
        } else if constexpr (Count == 7) {
            add_seven(row, sum);
        } else {
            V::u64 left[3], right[3];
            add_seven(row, left);
            add_seven(row + 7, right);
            V::u64 carry = row[14];
            for (int q = 0; q < 3; ++q) {
                const Sum a = add(left[q], right[q], carry);
                sum[q] = a.one, carry = a.two;
            }
            sum[3] = carry;
        }
        V::u64 carry = {};
        int q = 1;
        for (; q <= kSums && q < model.planes; ++q) {
            const Sum a = add(plane[q], sum[q - 1], carry);
            plane[q] = a.one, carry = a.two;
        }
        for (; q < model.planes; ++q) {
            const V::u64 old = plane[q];
            plane[q] = old ^ carry, carry &= old;
        }
    }
    template <int Count>
    QESTIM_FORCE void add_rows(const uint64_t* const* rows, const uint64_t* invert) {
        auto* plane = reinterpret_cast<V::u64*>(planes.data());
        for (int64_t at = 0; at < model.stride; at += kChunk, plane += model.planes)
            add_rows<Count>(plane, at, rows, invert);
    }
};

// The flips of one read in one block: the new spin is -1 where `invert` is set.
struct Flips {
    static constexpr int kMost = 15;  // rows summed at once
    const uint64_t* rows[kBlock + kMost];
    uint64_t invert[kBlock + kMost];
    int count = 0;
};

template <bool Gibbs>
QESTIM_FORCE void spread(BitRead<Gibbs>& read, Flips& flips) {
    for (int k = flips.count; k < flips.count + Flips::kMost; ++k)
        flips.rows[k] = read.model.zeros(), flips.invert[k] = 0;
    read.offset -= static_cast<uint32_t>(flips.count);
    for (int k = 0; k < flips.count;) {
        const int left = flips.count - k;
        const uint64_t* const* rows = flips.rows + k;
        const uint64_t* invert = flips.invert + k;
        if (left > 7) read.template add_rows<15>(rows, invert), k += 15;
        else if (left > 3) read.template add_rows<7>(rows, invert), k += 7;
        else read.template add_rows<3>(rows, invert), k += 3;
    }
}

// One block of `Reads` reads, whose flips are found in step: a flip waits long for the
// one before it in its read, and the other reads fill the time.
template <int Reads, bool Gibbs>
QESTIM_TARGET void visit(std::unique_ptr<BitRead<Gibbs>>* reads, int64_t b, float scale) {
    const BitModel& model = reads[0]->model;
    const int64_t at = b * kBlock, left = model.n - at;
    const uint64_t* corner = model.corner.data() + at;
    const uint64_t* rows = model.rows.data() + at * model.stride;
    V::i16 x[Reads][kParts], limit[Reads][kParts];
    uint64_t below[Reads], wanted[Reads], found[Reads], some = 0;
    Flips flips[Reads];
    for (int r = 0; r < Reads; ++r) {
        draw_limits<QESTIM_WIDTH, Gibbs>(limit[r], reads[r]->random,
                                         model.half.data() + at, scale, 32600.0f);
        reads[r]->signed_fields(x[r], b);
        below[r] = reads[r]->minus[b];
        wanted[r] = left < kBlock ? (uint64_t{1} << left) - 1 : ~uint64_t{0};
        some |= found[r] = greater(x[r], limit[r]) & wanted[r];
    }
    while (some) {
        some = 0;
        for (int r = 0; r < Reads; ++r) {
            const uint64_t one = found[r] != 0;
            const int i = __builtin_ctzll(found[r] | uint64_t{1} << 63);
            const uint64_t invert = (below[r] >> i & 1) - 1;
            flips[r].rows[flips[r].count] = rows + i * model.stride;
            flips[r].invert[flips[r].count] = invert;
            flips[r].count += static_cast<int>(one);
            reads[r]->minus[b] ^= one << i;
            wanted[r] &= ~uint64_t{1} << i;
            // The products s_j J_ij s_i move by +-1: 2 for some, and the limit by 1.
            const uint64_t ups = (corner[i] ^ below[r] ^ invert) & -one;
            for (int p = 0; p < kParts; ++p) {
                x[r][p] = add_where(x[r][p], ups, p, 2);
                limit[r][p] += static_cast<int16_t>(one);
            }
            some |= found[r] = greater(x[r], limit[r]) & wanted[r];
        }
    }
    for (int r = 0; r < Reads; ++r) spread(*reads[r], flips[r]);
}

template <bool Gibbs>
bool run_bits(const BitModel& model, const Schedule& schedule, int64_t first,
              int64_t count, int8_t* spins, Poll poll) {
    std::vector<std::unique_ptr<BitRead<Gibbs>>> reads;
    for (int64_t r = 0; r < count; ++r) {
        reads.push_back(std::make_unique<BitRead<Gibbs>>(model));
        reads.back()->load(spins + r * model.n);
        reads.back()->random.seed(schedule.seed,
                                  static_cast<uint64_t>(first + r) * kBlock);
    }
    int64_t since = 0;
    bool done = true;
    for (int64_t sweep = 0; sweep < schedule.num_sweeps && done; ++sweep) {
        const float scale =
            static_cast<float>(1 / (4.0 * std::max(schedule.betas[sweep], 1e-30)));
        for (int64_t b = 0; b < model.blocks && done; ++b) {
            int64_t r = 0;
            for (; r + kTogether <= count; r += kTogether)
                visit<kTogether>(reads.data() + r, b, scale);
            for (; r < count; ++r) visit<1>(reads.data() + r, b, scale);
            if ((since += count) >= 16) {
                done = !poll();
                since = 0;
            }
        }
    }
    for (int64_t r = 0; r < count; ++r)
        reads[static_cast<size_t>(r)]->store(spins + r * model.n);
    return done;
}

inline bool anneal_bits(const BitModel& model, const Schedule& schedule, int64_t first,
                        int64_t count, int8_t* spins, Poll poll) {
    return schedule.gibbs ? run_bits<true>(model, schedule, first, count, spins, poll)
                          : run_bits<false>(model, schedule, first, count, spins, poll);
}

#endif
