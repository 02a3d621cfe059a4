// g = log(1 + e^x) = e^min(x, 0) r: below zero r = log1p(e^x) / e^x, above it r = x + log1p(e^-x).
#pragma once

#include "../../arithmetic/elementary.hpp"
#include "../../simd/vectors.hpp"
#include "../normalized_terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct SoftplusRatio {
  static constexpr bool has_exponent = true, has_mantissa = true, has_scale = true;
  static constexpr bool is_positive = false, needs_positive_sum = false;
  static constexpr bool is_cheap = false;
  static constexpr double low = 0.0, high = infinity;
  static constexpr double steepness_below = 1.0;  // the limit at -inf

  static D exponent(D x) { return smaller(x, D{}); }
  static D size(D x) { return larger(x, splat(1.0)); }
  static D reference(D largest) { return largest; }
  static D log2_scale(const Context& c) { return c.exponent; }
  template <class W>
  static W mantissa(D x, const Context& c) {
    return scaled(unscaled<W>(x, tail<W>(x)), c.scale);
  }
  template <class W>
  static W steepness(D x, const Context&) {
    const W t = tail<W>(x);
    return W(splat(1.0)) / ((W(splat(1.0)) + t) * unscaled<W>(x, t));
  }
  template <class W>
  static W log_g(D x, const Context&) {
    return W(exponent(x)) + logarithm(unscaled<W>(x, tail<W>(x)));
  }

 private:
  template <class W>
  static LASTLAYER_INLINE W tail(D x) {
    return exponential<0>(W(-absolute(x)));
  }
  template <class W>
  static W unscaled(D x, W t) {
    const W log_tail = log1p(t);
    // Below 2^-60 the quotient is 1 to the last bit; this also avoids 0 / 0.
    const Mask is_tiny = t.hi < 0x1p-60;
    const W below = choose(is_tiny, W(splat(1.0)), log_tail / choose(is_tiny, W(splat(1.0)), t));
    return choose(x < 0.0, below, W(x) + log_tail);
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
