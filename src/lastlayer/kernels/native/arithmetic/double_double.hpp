// The arithmetic that the general kernels compute in, written once for two types: float32 and half types need a double
// (Double), float64 needs a double-double, the unevaluated sum of two doubles (DoubleDouble). Sources: Knuth (TAOCP 2,
// 4.2.2) for two_sum, Dekker 1971 for the product.
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
// Multiplies by a power of two.
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
  // a + b, exact if |a| >= |b|.
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
  // Splitting a large factor would overflow before the factor does: it is scaled down first, and the error scaled up
  // again.
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
// The quotient with one division and a few bits less, if the inverse of b is a normal number.
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

// Whether two numbers are equal, low parts included.
template <class W>
LASTLAYER_INLINE Mask is_same(W a, W b) {
  if constexpr (W::is_double_double) return (a.hi == b.hi) & (a.lo == b.lo);
  return a.hi == b.hi;
}

// a / x. An infinite quotient has no low part.
template <class W>
LASTLAYER_INLINE W quotient_or_infinity(double a, D x) {
  const D plain = a / x;
  return choose(absolute(plain) < infinity, W(splat(a)) / W(x), W(plain));
}

// Adds w to a sum from which the largest number is kept apart: the larger of w and `largest` stays apart, the smaller
// joins `others`.
LASTLAYER_INLINE void add_apart_from_max(Double w, Double& largest, Double& others) {
  others = others + Double(smaller(w.hi, largest.hi));
  largest = Double(larger(w.hi, largest.hi));
}
LASTLAYER_INLINE void add_apart_from_max(DoubleDouble w, DoubleDouble& largest, DoubleDouble& others) {
  const Mask is_larger = (w.hi > largest.hi) | ((w.hi == largest.hi) & (w.lo > largest.lo));
  others = others + choose(is_larger, largest, w);
  largest = choose(is_larger, w, largest);
}

// A double-double of one row.
struct ScalarDoubleDouble {
  double hi, lo;
  double value() const { return hi + lo; }
};

inline ScalarDoubleDouble two_sum(double a, double b) {
  const double hi = a + b, t = hi - a;
  return {hi, (a - (hi - t)) + (b - t)};
}

inline ScalarDoubleDouble operator+(ScalarDoubleDouble a, ScalarDoubleDouble b) {
  const ScalarDoubleDouble s = two_sum(a.hi, b.hi);
  return two_sum(s.hi, s.lo + (a.lo + b.lo));
}

// Sums over the lanes.
inline ScalarDoubleDouble sum_of(Double v) {
  return {fold(v.hi, [](D a, D b) { return a + b; })[0], 0.0};
}
inline ScalarDoubleDouble sum_of(DoubleDouble v) {
  ScalarDoubleDouble all{0.0, 0.0};
  for (int i = 0; i < lanes; ++i) all = all + ScalarDoubleDouble{v.hi[i], v.lo[i]};
  return all;
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
