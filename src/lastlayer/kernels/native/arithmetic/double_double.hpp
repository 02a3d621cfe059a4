// The arithmetic that kernels compute in: for float32 and the half types a double holds all that matters (Real), for
// float64 the unevaluated sum of two of them does (Twofold). Written once for both. Sources: Knuth (TAOCP 2, 4.2.2) for
// the sum, Dekker 1971 for the product.
#pragma once

#include "../simd/permutations.hpp"
#include "../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Double {
  D hi;
  static constexpr bool is_double_double = false;
  Double() = default;
  explicit Double(D x) : hi(x) {}
  static Double two_sum(D a, D b) { return Double(a + b); }
  static Double fast_two_sum(D hi, D lo) { return Double(hi + lo); }
  D low() const { return D{}; }
  D value() const { return hi; }
};

LASTLAYER_INLINE Double operator+(Double a, Double b) { return Double(a.hi + b.hi); }
LASTLAYER_INLINE Double operator-(Double a, Double b) { return Double(a.hi - b.hi); }
LASTLAYER_INLINE Double operator*(Double a, Double b) { return Double(a.hi * b.hi); }
LASTLAYER_INLINE Double operator/(Double a, Double b) { return Double(a.hi / b.hi); }
LASTLAYER_INLINE Double fast_quotient(Double a, Double b) { return a / b; }
LASTLAYER_INLINE Double operator-(Double a) { return Double(-a.hi); }
LASTLAYER_INLINE Double choose(Mask mask, Double a, Double b) { return Double(mask ? a.hi : b.hi); }
// Times a power of two.
LASTLAYER_INLINE Double scaled(Double a, D power) { return Double(a.hi * power); }

struct DoubleDouble {
  D hi, lo;
  static constexpr bool is_double_double = true;
  DoubleDouble() = default;
  explicit DoubleDouble(D x) : hi(x), lo(D{}) {}
  DoubleDouble(D high, D low) : hi(high), lo(low) {}
  // a + b, exact.
  static DoubleDouble two_sum(D a, D b) {
    const D hi = a + b, t = hi - a;
    return {hi, (a - (hi - t)) + (b - t)};
  }
  // a + b where |a| >= |b|, exact.
  static DoubleDouble fast_two_sum(D a, D b) {
    const D hi = a + b;
    return {hi, b - (hi - a)};
  }
  D low() const { return lo; }
  D value() const { return hi + lo; }
};

LASTLAYER_INLINE DoubleDouble product(D a, D b) {
  const D hi = a * b;
#if defined(__FMA__)
  return {hi, fma(a, b, -hi)};
#else
  // The cut of a large factor would overflow before the factor does: it is made smaller, and the rest larger again.
  const D down_a = absolute(a) > 0x1p900 ? splat(0x1p-200) : splat(1.0),
          down_b = absolute(b) > 0x1p900 ? splat(0x1p-200) : splat(1.0);
  const D x = a * down_a, y = b * down_b, tx = x * 134217729.0, ty = y * 134217729.0;
  const D xh = tx - (tx - x), yh = ty - (ty - y), xl = x - xh, yl = y - yh;
  const D rest = ((xh * yh - x * y) + xh * yl + xl * yh) + xl * yl;
  return {hi, absolute(hi) < infinity ? rest / down_a / down_b : D{}};
#endif
}

LASTLAYER_INLINE DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble s = DoubleDouble::two_sum(a.hi, b.hi);
  return DoubleDouble::fast_two_sum(s.hi, s.lo + (a.lo + b.lo));
}
LASTLAYER_INLINE DoubleDouble operator-(DoubleDouble a) { return {-a.hi, -a.lo}; }
LASTLAYER_INLINE DoubleDouble operator-(DoubleDouble a, DoubleDouble b) { return a + -b; }
LASTLAYER_INLINE DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble p = product(a.hi, b.hi);
  return DoubleDouble::fast_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}
LASTLAYER_INLINE DoubleDouble operator/(DoubleDouble a, DoubleDouble b) {
  const D hi = a.hi / b.hi;
  const DoubleDouble back = product(hi, b.hi);
  return DoubleDouble::fast_two_sum(hi, (((a.hi - back.hi) - back.lo) + a.lo - hi * b.lo) / b.hi);
}
// The quotient to nearly as many digits, with one division, where the inverse of b is an ordinary number.
LASTLAYER_INLINE DoubleDouble fast_quotient(DoubleDouble a, DoubleDouble b) {
  const D inverse = 1.0 / b.hi, hi = a.hi * inverse;
  const DoubleDouble back = product(hi, b.hi);
  return {hi, (((a.hi - back.hi) - back.lo) + a.lo - hi * b.lo) * inverse};
}
LASTLAYER_INLINE DoubleDouble choose(Mask mask, DoubleDouble a, DoubleDouble b) {
  return {mask ? a.hi : b.hi, mask ? a.lo : b.lo};
}
LASTLAYER_INLINE DoubleDouble scaled(DoubleDouble a, D power) { return {a.hi * power, a.lo * power}; }

template <>
constexpr int lane_count<Double> = lanes;
template <>
constexpr int lane_count<DoubleDouble> = lanes;
template <int width>
LASTLAYER_INLINE void swap_lanes(Double& a, Double& b) {
  swap_lanes<width>(a.hi, b.hi);
}
template <int width>
LASTLAYER_INLINE void swap_lanes(DoubleDouble& a, DoubleDouble& b) {
  swap_lanes<width>(a.hi, b.hi);
  swap_lanes<width>(a.lo, b.lo);
}

// Whether two are the same number.
template <class W>
LASTLAYER_INLINE Mask is_same(W a, W b) {
  if constexpr (W::is_double_double) return (a.hi == b.hi) & (a.lo == b.lo);
  return a.hi == b.hi;
}

// a / x, which beyond the largest number has no low part.
template <class W>
LASTLAYER_INLINE W quotient_or_infinity(double a, D x) {
  const D plain = a / x;
  return choose(absolute(plain) < infinity, W(splat(a)) / W(x), W(plain));
}

// Takes w in: the larger of it and the largest so far stays apart, the smaller one joins the others.
LASTLAYER_INLINE void add_apart_from_max(Double w, Double& largest, Double& others) {
  others = others + Double(smaller(w.hi, largest.hi));
  largest = Double(larger(w.hi, largest.hi));
}
LASTLAYER_INLINE void add_apart_from_max(DoubleDouble w, DoubleDouble& largest, DoubleDouble& others) {
  const Mask is_larger = (w.hi > largest.hi) | ((w.hi == largest.hi) & (w.lo > largest.lo));
  others = others + choose(is_larger, largest, w);
  largest = choose(is_larger, w, largest);
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
