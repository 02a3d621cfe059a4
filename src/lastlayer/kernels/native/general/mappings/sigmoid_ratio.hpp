// g = 1 / (1 + e^-x) = e^min(x, 0) / (1 + e^-|x|).
#pragma once

#include "../../arithmetic/elementary.hpp"
#include "../../simd/vectors.hpp"
#include "../normalized_terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct SigmoidRatio {
  static constexpr bool has_exponent = true, has_mantissa = true, has_scale = false;
  static constexpr bool is_positive = false, needs_positive_sum = false;
  static constexpr bool is_cheap = false;
  static constexpr double low = 0.0, high = 1.0;
  static constexpr double steepness_below = 1.0;  // the limit at -inf

  static D exponent(D x) { return smaller(x, D{}); }
  template <class W>
  static W mantissa(D x, const Context&) {
    return W(splat(1.0)) / (W(splat(1.0)) + tail<W>(x));
  }
  // 1 - g, without the subtraction.
  template <class W>
  static W steepness(D x, const Context& c) {
    const W part = mantissa<W>(x, c);
    return choose(x < 0.0, part, tail<W>(x) * part);
  }
  template <class W>
  static W log_g(D x, const Context& c) {
    return W(exponent(x)) + logarithm(mantissa<W>(x, c));
  }

 private:
  template <class W>
  static W tail(D x) {
    return exponential<0>(W(-absolute(x)));
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
