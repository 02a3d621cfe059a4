// g = x^2, for scores that are not all zero.
#pragma once

#include "../../arithmetic/elementary.hpp"
#include "../../simd/vectors.hpp"
#include "../normalized_terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Spherical {
  static constexpr bool has_exponent = false, has_mantissa = true, has_scale = true;
  static constexpr bool is_positive = false, needs_positive_sum = true;
  static constexpr bool is_cheap = true;
  static constexpr double low = infinity, high = infinity;
  static constexpr double steepness_below = 0.0;  // the limit at -inf

  static D size(D x) { return absolute(x); }
  static D reference(D largest) { return largest; }
  static D log2_scale(const Context& c) { return 2.0 * c.exponent; }
  template <class W>
  static W mantissa(D x, const Context& c) {
    const W y(x * c.scale);
    return y * y;
  }
  template <class W>
  static W derivative(D x, const Context& c) {
    return W(2.0 * (x * c.scale) * c.scale);
  }
  template <class W>
  static W steepness(D x, const Context&) {
    return quotient_or_infinity<W>(2.0, x);
  }
  template <class W>
  static W log_g(D x, const Context&) {
    const W log_size = logarithm(W(absolute(x)));
    return scaled(log_size, splat(2.0));
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
