// Rows read as vectors of doubles after softcap and temperature, and e^(x - m) of them.
#pragma once

#include "../api/requests.hpp"
#include "../arithmetic/double_double.hpp"
#include "../arithmetic/elementary.hpp"
#include "../general/activation.hpp"
#include "../simd/elements.hpp"
#include "../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// float64 keeps the rounding error of x - m.
template <class E>
struct Arithmetic {
  using Type = Double;
};
template <>
struct Arithmetic<double> {
  using Type = DoubleDouble;
};

// Below this distance from m every result of float64 is 0, and no product with a distance overflows.
constexpr double farthest = 746.0;

// Calls then(scores, place, count) for each vector of some classes of a row; lanes beyond them are 0.
template <class E, class Then>
LASTLAYER_INLINE void over_wide(const E* x, int64_t begin, int64_t end, Then then) {
  int64_t j = begin;
  for (; j + lanes <= end; j += lanes) then(load_wide(x + j), j, lanes);
  if (j < end) then(load_wide_some(x + j, int(end - j)), j, int(end - j));
}

// Softcap, then temperature. Float32 and half types need neither a quotient nor a hyperbolic tangent of full precision.
template <class W>
struct Activated {
  double softcap, temperature, inverse, cap_inverse;
  explicit Activated(const ScoreRows& r)
      : softcap(r.softcap),
        temperature(r.temperature),
        inverse(1.0 / r.temperature),
        cap_inverse(r.softcap != 0.0 ? 1.0 / r.softcap : 0.0) {}

  // `slope`, if not null, receives the derivative.
  LASTLAYER_INLINE D operator()(D v, D* slope = nullptr) const {
    if constexpr (W::is_double_double) {
      return activated(softcap, temperature, v, slope);
    } else {
      D s = splat(inverse);
      if (softcap != 0.0) {
        const D u = v * cap_inverse, size = absolute(u), tail = exponential<0>(Double(-2.0 * size)).hi;
        const D over = 1.0 / (1.0 + tail);
        if (slope) s = (4.0 * inverse) * tail * over * over;
        // tanh: below 1/32 by its series, where 1 - tail has lost digits.
        const D z = u * u;
        const D near = fma(size * z, fma(fma(splat(-17.0 / 315.0), z, splat(2.0 / 15.0)), z, splat(-1.0 / 3.0)), size);
        const D tanh_of_size = size < 0.03125 ? near : (1.0 - tail) * over;
        v = softcap * (u < 0.0 ? -tanh_of_size : tanh_of_size);
      }
      if (slope) *slope = s;
      return v * inverse;
    }
  }
  double of_one(double x) const { return (*this)(splat(x))[0]; }
};

// x - m, at most 0 and at least -farthest: a rounded softcap may put x above m, and x may be -inf.
template <class W>
LASTLAYER_INLINE W below_peak(D x, double m) {
  const W d = W::two_sum(x, splat(-m));
  const D high = larger(smaller(d.hi, splat(0.0)), splat(-farthest));
  if constexpr (W::is_double_double)
    return {high, high == d.hi ? d.lo : D{}};
  else
    return W(high);
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
