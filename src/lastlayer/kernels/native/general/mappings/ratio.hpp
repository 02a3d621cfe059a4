// g = x, for scores >= 0 that are not all zero.
#pragma once

#include "../../arithmetic/elementary.hpp"
#include "../../simd/vectors.hpp"
#include "../normalized_terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Ratio {
  static constexpr bool has_exponent = false, has_mantissa = true, has_scale = true;
  static constexpr bool is_positive = true, needs_positive_sum = true;
  static constexpr bool is_cheap = true;
  static constexpr double low = 0.0, high = infinity;
  static constexpr double steepness_below = 0.0;  // the limit at -inf

  static D size(D x) { return x; }
  static D reference(D largest) { return largest; }
  static D log2_scale(const Context& c) { return c.exponent; }
  // Adding 0 turns -0 into 0.
  template <class W>
  static W mantissa(D x, const Context& c) {
    return W(x * c.scale + 0.0);
  }
  template <class W>
  static W derivative(D, const Context& c) {
    return W(c.scale);
  }
  template <class W>
  static W steepness(D x, const Context&) {
    return quotient_or_infinity<W>(1.0, x + 0.0);
  }
  template <class W>
  static W log_g(D x, const Context&) {
    return logarithm(W(x));
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
