// g = x + 1 for x >= 0, 1 / (1 - x) below: 1 + |x| or its reciprocal.
#pragma once

#include "../../arithmetic/elementary.hpp"
#include "../../simd/vectors.hpp"
#include "../normalized_terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Stablemax {
  static constexpr bool has_exponent = false, has_mantissa = true, has_scale = true;
  static constexpr bool is_positive = false, needs_positive_sum = false;
  static constexpr bool is_cheap = false;
  static constexpr double low = 0.0, high = infinity;
  static constexpr double steepness_below = 0.0;  // the limit at -inf

  static D size(D x) { return x; }
  static D reference(D largest) { return largest >= 0.0 ? largest + 1.0 : 1.0 / (1.0 - largest); }
  static D log2_scale(const Context& c) { return c.exponent; }
  template <class W>
  static W mantissa(D x, const Context& c) {
    return choose(x < 0.0, inverse<W>(x, c.scale), scaled(size_of<W>(x), c.scale));
  }
  template <class W>
  static W derivative(D x, const Context& c) {
    return choose(x < 0.0, inverse<W>(x, c.scale) * inverse<W>(x, splat(1.0)), W(c.scale));
  }
  // 1 / (1 + |x|) on both sides.
  template <class W>
  static W steepness(D x, const Context&) {
    return inverse<W>(x, splat(1.0));
  }
  template <class W>
  static W log_g(D x, const Context&) {
    const W log_size = logarithm(size_of<W>(x));
    return choose(x < 0.0, -log_size, log_size);
  }

 private:
  template <class W>
  static W size_of(D x) {
    return W::two_sum(splat(1.0), absolute(x));
  }
  // above / (1 + |x|). Sizes near the overflow threshold are scaled down first, which is exact.
  template <class W>
  static W inverse(D x, D above) {
    const D room = splat(0x1p-100);
    return scaled(W(above) / scaled(size_of<W>(x), room), room);
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
