// SPDX-License-Identifier: Apache-2.0
// The heat-bath decision in double precision, eight at a time. A spin with the field
// f = dE/ds becomes +1 with probability 1 / (1 + exp(2 beta f)), to 2e-8.
#pragma once

#include "common.hpp"

#include <cstring>
#include <limits>
#include <memory>
#include <new>

namespace qestim {

// Vectors of 64 bytes; the compiler splits them where the machine's are shorter.
typedef double f64x8 __attribute__((vector_size(64)));
typedef int64_t i64x8 __attribute__((vector_size(64)));
typedef uint64_t u64x8 __attribute__((vector_size(64)));
typedef int32_t i32x8 __attribute__((vector_size(32)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef float f32x8 __attribute__((vector_size(32)));
typedef float f32x16 __attribute__((vector_size(64)));

constexpr int64_t kSign = std::numeric_limits<int64_t>::min();

// Eight fields, how they become doubles, and spins from a mask. (References, since a
// vector that a function returned would depend on the instruction set.)
template <class F>
struct Eight;
template <>
struct Eight<int32_t> {
    typedef i32x8 type;
    typedef i32x16 wide;  // what an addition takes at once
    static constexpr bool bounded = false;
    static QESTIM_INLINE void real(const i32x8& x, f64x8& y) {
        y = __builtin_convertvector(x, f64x8);
    }
    static QESTIM_INLINE void sign(const i64x8& up, i32x8& spin) {
        spin = -1 - 2 * __builtin_convertvector(up, i32x8);
    }
};
template <>
struct Eight<double> {
    typedef f64x8 type;
    typedef f64x8 wide;
    static constexpr bool bounded = true;
    static QESTIM_INLINE void real(const f64x8& x, f64x8& y) { y = x; }
    static QESTIM_INLINE void sign(const i64x8& up, f64x8& spin) {
        spin = (f64x8)((i64x8)(f64x8{} + 1.0) | (~up & kSign));
    }
};

// An array on a cache line, zeroed.
template <class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(size_t size) : size_(size) {
        if (size == 0) return;
        const std::align_val_t line{64};
        data_.reset(static_cast<T*>(::operator new(size * sizeof(T), line)));
        std::memset(static_cast<void*>(data_.get()), 0, size * sizeof(T));
    }
    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    T& operator[](size_t i) { return data_.get()[i]; }
    const T& operator[](size_t i) const { return data_.get()[i]; }
    size_t size() const { return size_; }

  private:
    struct Free {
        void operator()(T* p) const { ::operator delete(p, std::align_val_t{64}); }
    };
    std::unique_ptr<T, Free> data_;
    size_t size_ = 0;
};

// xoshiro256++ (Blackman and Vigna), eight streams.
struct Random8 {
    u64x8 a, b, c, d;

    void seed_lane(int lane, uint64_t& state) {
        a[lane] = splitmix64(state);
        b[lane] = splitmix64(state);
        c[lane] = splitmix64(state);
        d[lane] = splitmix64(state);
    }
    QESTIM_INLINE void next(u64x8& bits) {
        const u64x8 sum = a + d;
        bits = ((sum << 23) | (sum >> 41)) + a;
        const u64x8 shifted = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= shifted;
        d = (d << 45) | (d >> 19);
    }
    // Each call gives two vectors of uniforms in (0, 1), of 32 bits each.
    QESTIM_INLINE void next(f64x8& first, f64x8& second) {
        u64x8 bits;
        next(bits);
        const u64x8 one = u64x8{} + 0x3ff0000000000000ULL;
        const u64x8 high = ((bits >> 32) << 20) | one;
        const u64x8 low = ((bits << 32) >> 12) | one;
        const double centre = 1.0 - 1.1641532182693481e-10;  // 1 - 2^-33
        first = (f64x8)high - centre;
        second = (f64x8)low - centre;
    }
};

// Lanes of all ones where the spin becomes +1. `factor` is 2 beta log2(e) in the
// units of the field; `uniform` is in (0, 1). Without Bounded the caller knows that
// field * factor stays below 1000 in size.
template <bool Bounded>
QESTIM_INLINE void heat_bath(const f64x8& field, const f64x8& factor,
                             const f64x8& uniform, i64x8& up) {
    constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: rounds to integers
    f64x8 t = field * factor;
    if (Bounded) {
        const f64x8 limit = f64x8{} + 1000.0;
        t = t > limit ? limit : t;
        t = t < -limit ? -limit : t;
    }
    const f64x8 shifted = t + kMagic;
    const f64x8 r = t - (shifted - kMagic);
    // 2^r for |r| <= 1/2: least largest relative error, 7.5e-8.
    f64x8 p = r * 1.327647152048355e-3 + 9.675541330694391e-3;
    p = p * r + 5.5507132749585596e-2;
    p = p * r + 2.4022119723933644e-1;
    p = p * r + 6.93146967063867e-1;
    p = p * r + 1.000000071654657;
    const i64x8 bits = (i64x8)p + ((i64x8)shifted << 52);
    up = uniform + uniform * (f64x8)bits < 1.0;
}

// The same decision where 16 bits of the uniform suffice for it: u lies between k / 2^16
// and (k + 1) / 2^16. `t` is field * factor in single precision, good to 3e-6 where it
// matters. `unsure` are the lanes, about one in 2^16, that need more bits of u and the
// decision above.
QESTIM_INLINE void quick_heat_bath(const f32x16& t, const i32x16& k, i32x16& up,
                                   i32x16& unsure) {
    constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
    const f32x16 limit = f32x16{} + 30.0f;
    f32x16 x = t > limit ? limit : t;
    x = x < -limit ? -limit : x;
    const f32x16 shifted = x + kMagic;
    const f32x16 r = x - (shifted - kMagic);
    // 2^r for |r| <= 1/2: least largest relative error, 2.6e-6.
    f32x16 p = r * 9.57010197e-3f + 5.59178608e-2f;
    p = p * r + 2.40247448e-1f;
    p = p * r + 6.93121815e-1f;
    p = p * r + 9.99999261e-1f;
    const i32x16 bits = (i32x16)p + ((i32x16)shifted << 23);
    const f32x16 odds = (f32x16)bits + 1.0f;
    const f32x16 least = __builtin_convertvector(k, f32x16) * odds;
    up = least + odds < 65536.0f * (1 - 1e-5f);
    unsure = up ^ (least < 65536.0f * (1 + 1e-5f));
}

// log(u / (1 - u)) for u in (0, 1), to about 1e-11.
QESTIM_INLINE void logit(const f64x8& u, f64x8& result) {
    constexpr double kMagic = 6755399441055744.0;
    const f64x8 v = 1.0 - u;
    const i64x8 half = i64x8{} + (int64_t{1} << 51);
    const i64x8 exponent = ((i64x8)u -
                            (i64x8)v + half) >> 52;
    const i64x8 scaled_bits = (i64x8)v + (exponent << 52);
    const f64x8 scaled = (f64x8)scaled_bits;
    const f64x8 f = (u - scaled) / (u + scaled);  // at most 0.21 in size
    const f64x8 s = f * f;
    f64x8 p = s * (2.0 / 15) + 2.0 / 13;
    p = p * s + 2.0 / 11;
    p = p * s + 2.0 / 9;
    p = p * s + 2.0 / 7;
    p = p * s + 2.0 / 5;
    p = p * s + 2.0 / 3;
    p = p * s + 2.0;
    const f64x8 offset = f64x8{} + kMagic;
    const i64x8 whole_bits = exponent + (i64x8)offset;
    const f64x8 whole = (f64x8)whole_bits - kMagic;
    result = whole * 0.6931471805599453 + f * p;
}

}  // namespace qestim
