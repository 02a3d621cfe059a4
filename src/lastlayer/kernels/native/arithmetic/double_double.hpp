// The arithmetic that kernels compute in: for float32 and the half types a double holds all that matters (Real), for
// float64 the unevaluated sum of two of them does (Twofold). Written once for both. Sources: Knuth (TAOCP 2, 4.2.2) for
// the sum, Dekker 1971 for the product.
#pragma once

#include "../simd/permutations.hpp"
#include "../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Real {
  D hi;
  static constexpr bool is_twofold = false;
  Real() = default;
  explicit Real(D x) : hi(x) {}
  static Real sum(D a, D b) { return Real(a + b); }
  static Real join(D hi, D lo) { return Real(hi + lo); }
  D low() const { return D{}; }
  D value() const { return hi; }
};

LASTLAYER_INLINE Real operator+(Real a, Real b) { return Real(a.hi + b.hi); }
LASTLAYER_INLINE Real operator-(Real a, Real b) { return Real(a.hi - b.hi); }
LASTLAYER_INLINE Real operator*(Real a, Real b) { return Real(a.hi * b.hi); }
LASTLAYER_INLINE Real operator/(Real a, Real b) { return Real(a.hi / b.hi); }
LASTLAYER_INLINE Real over(Real a, Real b) { return a / b; }
LASTLAYER_INLINE Real operator-(Real a) { return Real(-a.hi); }
LASTLAYER_INLINE Real choose(Mask mask, Real a, Real b) { return Real(mask ? a.hi : b.hi); }
// Times a power of two.
LASTLAYER_INLINE Real scaled(Real a, D power) { return Real(a.hi * power); }

struct Twofold {
  D hi, lo;
  static constexpr bool is_twofold = true;
  Twofold() = default;
  explicit Twofold(D x) : hi(x), lo(D{}) {}
  Twofold(D high, D low) : hi(high), lo(low) {}
  // a + b, exact.
  static Twofold sum(D a, D b) {
    const D hi = a + b, t = hi - a;
    return {hi, (a - (hi - t)) + (b - t)};
  }
  // a + b where |a| >= |b|, exact.
  static Twofold join(D a, D b) {
    const D hi = a + b;
    return {hi, b - (hi - a)};
  }
  D low() const { return lo; }
  D value() const { return hi + lo; }
};

LASTLAYER_INLINE Twofold product(D a, D b) {
  const D hi = a * b;
#if defined(__FMA__)
  return {hi, fma(a, b, -hi)};
#else
  // The cut of a large factor would overflow before the factor does: it is made smaller, and the rest larger again.
  const D down_a = absolute(a) > 0x1p900 ? all(0x1p-200) : all(1.0),
          down_b = absolute(b) > 0x1p900 ? all(0x1p-200) : all(1.0);
  const D x = a * down_a, y = b * down_b, tx = x * 134217729.0, ty = y * 134217729.0;
  const D xh = tx - (tx - x), yh = ty - (ty - y), xl = x - xh, yl = y - yh;
  const D rest = ((xh * yh - x * y) + xh * yl + xl * yh) + xl * yl;
  return {hi, absolute(hi) < infinity ? rest / down_a / down_b : D{}};
#endif
}

LASTLAYER_INLINE Twofold operator+(Twofold a, Twofold b) {
  const Twofold s = Twofold::sum(a.hi, b.hi);
  return Twofold::join(s.hi, s.lo + (a.lo + b.lo));
}
LASTLAYER_INLINE Twofold operator-(Twofold a) { return {-a.hi, -a.lo}; }
LASTLAYER_INLINE Twofold operator-(Twofold a, Twofold b) { return a + -b; }
LASTLAYER_INLINE Twofold operator*(Twofold a, Twofold b) {
  const Twofold p = product(a.hi, b.hi);
  return Twofold::join(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}
LASTLAYER_INLINE Twofold operator/(Twofold a, Twofold b) {
  const D hi = a.hi / b.hi;
  const Twofold back = product(hi, b.hi);
  return Twofold::join(hi, (((a.hi - back.hi) - back.lo) + a.lo - hi * b.lo) / b.hi);
}
// The quotient to nearly as many digits, with one division, where the inverse of b is an ordinary number.
LASTLAYER_INLINE Twofold over(Twofold a, Twofold b) {
  const D inverse = 1.0 / b.hi, hi = a.hi * inverse;
  const Twofold back = product(hi, b.hi);
  return {hi, (((a.hi - back.hi) - back.lo) + a.lo - hi * b.lo) * inverse};
}
LASTLAYER_INLINE Twofold choose(Mask mask, Twofold a, Twofold b) { return {mask ? a.hi : b.hi, mask ? a.lo : b.lo}; }
LASTLAYER_INLINE Twofold scaled(Twofold a, D power) { return {a.hi * power, a.lo * power}; }

template <>
constexpr int lane_count<Real> = lanes;
template <>
constexpr int lane_count<Twofold> = lanes;
template <int width>
LASTLAYER_INLINE void swap_lanes(Real& a, Real& b) {
  swap_lanes<width>(a.hi, b.hi);
}
template <int width>
LASTLAYER_INLINE void swap_lanes(Twofold& a, Twofold& b) {
  swap_lanes<width>(a.hi, b.hi);
  swap_lanes<width>(a.lo, b.lo);
}

// Whether two are the same number.
template <class W>
LASTLAYER_INLINE Mask is_same(W a, W b) {
  if constexpr (W::is_twofold) return (a.hi == b.hi) & (a.lo == b.lo);
  return a.hi == b.hi;
}

// a / x, which beyond the largest number has no low part.
template <class W>
LASTLAYER_INLINE W quotient_or_infinity(double a, D x) {
  const D plain = a / x;
  return choose(absolute(plain) < infinity, W(all(a)) / W(x), W(plain));
}

// Takes w in: the larger of it and the largest so far stays apart, the smaller one joins the others.
LASTLAYER_INLINE void take_in(Real w, Real& largest, Real& others) {
  others = others + Real(smaller(w.hi, largest.hi));
  largest = Real(larger(w.hi, largest.hi));
}
LASTLAYER_INLINE void take_in(Twofold w, Twofold& largest, Twofold& others) {
  const Mask is_larger = (w.hi > largest.hi) | ((w.hi == largest.hi) & (w.lo > largest.lo));
  others = others + choose(is_larger, largest, w);
  largest = choose(is_larger, w, largest);
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
