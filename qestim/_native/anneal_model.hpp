// SPDX-License-Identifier: Apache-2.0
// From the caller's arrays to the rows of a kernel: the scale, whether the coefficients
// are integers in some unit, which kernel fits, and its rows.
#pragma once

#include "coefficients.hpp"

namespace qestim::annealing {

// Rounds to the nearest integer without a call; |x| < 2^51.
inline double nearest(double x) {
    constexpr double kShift = 0x1.8p52;
    return (x + kShift) - kShift;
}

// The largest unit of which all coefficients are multiples, up to float noise; 0 if it
// is so small that no integer kernel could hold them. The noise allowed is 1e-9 of the
// largest coefficient, which is also how far a coefficient may be moved.
class CommonUnit {
  public:
    explicit CommonUnit(double largest) : noise_(1e-9 * largest), least_(largest / 32000) {}
    void add(const double* values, int64_t count) {
        for (int64_t k = 0; k < count && !failed_; ++k) {
            const double v = std::fabs(values[k]);
            if (v <= noise_) continue;
            if (unit_ == 0) {
                set(v);
                continue;
            }
            const double rest = v - unit_ * nearest(v * inverse_);
            if (std::fabs(rest) > noise_) set(divisor(unit_, std::fabs(rest)));
        }
    }
    // The unit, sharpened so that the largest coefficient is an exact multiple.
    double value(double largest) const {
        if (failed_) return 0;
        return unit_ == 0 ? largest : largest / nearest(largest * inverse_);
    }

  private:
    void set(double unit) {
        unit_ = unit;
        inverse_ = 1 / unit;
        failed_ = unit < least_;
    }
    double divisor(double a, double b) const {
        while (b > noise_) {
            const double rest = std::fabs(a - b * nearest(a / b));
            a = b;
            b = rest;
            if (a < least_) break;
        }
        return a;
    }
    double noise_, least_, unit_ = 0, inverse_ = 0;
    bool failed_ = false;
};

inline double largest_of(const Coefficients& c) {
    double largest = 0;
    for (int64_t i = 0; i < c.n; ++i) largest = std::max(largest, std::fabs(c.h[i]));
    for (int64_t k = 0; k < c.m; ++k) largest = std::max(largest, std::fabs(c.value[k]));
    return largest;
}

// 0 where no unit is common, and where two roundings of one kind would not agree.
inline double common_unit(const Coefficients& c, double largest) {
    CommonUnit unit(largest);
    unit.add(c.value, c.m);
    unit.add(c.h, c.n);
    const double found = unit.value(largest);
    if (found == 0) return 0;
    const double inverse = 1 / found, noise = 2e-9 * largest;
    const auto off = [&](double v) {
        return std::fabs(v - found * nearest(v * inverse)) > noise;
    };
    for (int64_t k = 0; k < c.m; ++k)
        if (off(c.value[k])) return 0;
    for (int64_t i = 0; i < c.n; ++i)
        if (off(c.h[i])) return 0;
    return found;
}

// Largest |h_i| + sum_j |J_ij|, in units.
inline double largest_field(const Coefficients& c, double unit) {
    std::vector<double> sum(c.n);
    for (int64_t i = 0; i < c.n; ++i) sum[i] = std::fabs(c.h[i]) / unit;
    for (int64_t k = 0; k < c.m; ++k) {
        const double v = std::fabs(c.value[k]) / unit;
        sum[c.row[k]] += v;
        sum[c.col[k]] += v;
    }
    return c.n ? *std::max_element(sum.begin(), sum.end()) : 0;
}

inline SparseModel sparse_rows(const Coefficients& c, double unit, bool integer) {
    SparseModel out;
    out.n = c.n;
    out.begin.assign(c.n + 1, 0);
    out.middle.assign(c.n, 0);
    std::vector<int64_t> ups(c.n, 0), downs(c.n, 0);
    for (int64_t k = 0; k < c.m; ++k) {
        if (c.value[k] == 0) continue;
        auto& count = c.value[k] > 0 ? ups : downs;
        ++count[c.row[k]];
        ++count[c.col[k]];
    }
    for (int64_t i = 0; i < c.n; ++i) {
        out.middle[i] = out.begin[i] + ups[i];
        out.begin[i + 1] = out.middle[i] + downs[i];
        ups[i] = out.begin[i];
        downs[i] = out.middle[i];
    }
    const int64_t total = out.begin[c.n];
    out.neighbour.resize(total);
    if (integer) out.weight.resize(total);
    else out.weight_f.resize(total);
    out.unit = integer;
    for (int64_t k = 0; k < c.m; ++k) {
        if (c.value[k] == 0) continue;
        const double w = c.value[k] / unit;
        const double whole = integer ? nearest(w) : w;
        out.unit = out.unit && std::fabs(whole) == 1;
        auto& at = c.value[k] > 0 ? ups : downs;
        for (int side = 0; side < 2; ++side) {
            const int32_t i = side ? c.col[k] : c.row[k];
            const int64_t e = at[i]++;
            out.neighbour[e] = side ? c.row[k] : c.col[k];
            if (integer) out.weight[e] = static_cast<int16_t>(whole);
            else out.weight_f[e] = static_cast<float>(w);
        }
    }
    if (integer) {
        out.h.resize(c.n);
        out.range.resize(c.n);
        for (int64_t i = 0; i < c.n; ++i) {
            out.h[i] = static_cast<int32_t>(nearest(c.h[i] / unit));
            int32_t reach = std::abs(out.h[i]);
            for (int64_t e = out.begin[i]; e < out.begin[i + 1]; ++e)
                reach += std::abs(int{out.weight[e]});
            const int32_t parity = reach & 1;
            out.range[i] = {static_cast<int16_t>(parity),
                            static_cast<int16_t>((-reach - parity) / 2),
                            static_cast<int16_t>((reach - parity) / 2)};
        }
    } else {
        out.h_f.resize(c.n);
        for (int64_t i = 0; i < c.n; ++i)
            out.h_f[i] = static_cast<float>(c.h[i] / unit);
    }
    return out;
}

inline DenseModel dense_rows(const Coefficients& c, double unit, bool integer) {
    DenseModel out;
    constexpr int64_t kTile = 64;
    const int64_t n = c.n;
    out.n = n;
    out.blocks = (n + kTile - 1) / kTile;
    // Rows a power of two apart would share few cache sets.
    out.stride = out.blocks * kTile + (out.blocks % 4 == 0 ? kTile : 0);
    const size_t size = static_cast<size_t>(out.blocks * kTile * out.stride);
    const double inverse = 1 / unit;
    // Written once for each pair, then mirrored tile by tile.
    const auto fill = [&](auto& rows, auto convert) {
        for (int64_t k = 0; k < c.m; ++k)
            rows[static_cast<size_t>(c.row[k] * out.stride + c.col[k])] =
                convert(c.value[k] * inverse);
        auto* w = rows.data();
        for (int64_t a = 0; a < n; a += kTile)
            for (int64_t b = a; b < n; b += kTile)
                for (int64_t i = a; i < std::min(n, a + kTile); ++i)
                    for (int64_t j = std::max(b, i + 1); j < std::min(n, b + kTile); ++j) {
                        const auto sum = w[i * out.stride + j] + w[j * out.stride + i];
                        w[i * out.stride + j] = w[j * out.stride + i] =
                            static_cast<std::decay_t<decltype(*w)>>(sum);
                    }
    };
    if (integer) {
        out.rows = Buffer<int8_t>(size);
        out.h.resize(n);
        out.negate = Buffer<int16_t>(out.blocks * kTile);
        out.half = Buffer<float>(out.blocks * kTile);
        fill(out.rows, [](double w) { return static_cast<int8_t>(nearest(w)); });
        for (int64_t i = 0; i < n; ++i) {
            out.h[i] = static_cast<int32_t>(nearest(c.h[i] * inverse));
            const int8_t* w = out.rows.data() + i * out.stride;
            int32_t reach = std::abs(out.h[i]);
            int most = out.largest;
            for (int64_t j = 0; j < n; ++j) {
                reach += std::abs(int{w[j]});
                most = std::max(most, std::abs(int{w[j]}));
            }
            out.largest = most;
            out.negate[i] = static_cast<int16_t>((reach & 1) - 1);
            out.half[i] = 0.5f * static_cast<float>(reach & 1);
        }
    } else {
        out.rows_f = Buffer<float>(size);
        out.h_f.resize(n);
        fill(out.rows_f, [](double w) { return static_cast<float>(2 * w); });
        for (int64_t i = 0; i < n; ++i) out.h_f[i] = static_cast<float>(c.h[i] * inverse);
    }
    return out;
}

// Whether every pair is coupled by one and the same strength; each pair comes once.
inline bool is_complete(const Coefficients& c, double unit) {
    if (c.m != c.n * (c.n - 1) / 2) return false;
    return std::all_of(c.value, c.value + c.m, [=](double v) {
        return std::fabs(std::fabs(v) - unit) <= 0.5 * unit;
    });
}

inline BitModel bit_rows(const Coefficients& c, double unit, double reach) {
    BitModel out;
    const int64_t n = c.n;
    out.n = n;
    out.blocks = (n + 63) / 64;
    out.stride = (out.blocks + 7) / 8 * 8;
    while (std::ldexp(1.0, out.planes - 1) < reach / 2 + 2) ++out.planes;
    out.rows = Buffer<uint64_t>(static_cast<size_t>((out.blocks * 64 + 1) * out.stride));
    out.corner = Buffer<uint64_t>(static_cast<size_t>(out.blocks) * 64);
    out.parity = Buffer<uint64_t>(static_cast<size_t>(out.blocks));
    out.half = Buffer<float>(static_cast<size_t>(out.blocks) * 64);
    out.h.resize(n);
    const auto set = [&](int64_t i, int64_t j, uint64_t bit) {
        out.rows[i * out.stride + j / 64] |= bit << (j % 64);
    };
    for (int64_t k = 0; k < c.m; ++k) {
        set(c.row[k], c.col[k], c.value[k] > 0);
        set(c.col[k], c.row[k], c.value[k] > 0);
    }
    for (int64_t i = 0; i < n; ++i) {
        set(i, i, 1);
        out.corner[i] = out.rows[i * out.stride + i / 64];
        out.h[i] = static_cast<int32_t>(nearest(c.h[i] / unit));
        const uint64_t odd = (n - 1 + out.h[i]) & 1;
        out.parity[i / 64] |= odd << (i % 64);
        out.half[i] = 0.5f * static_cast<float>(odd);
    }
    return out;
}

}  // namespace qestim::annealing
