// g = the Taylor polynomial of e^x of even order, g > 0 everywhere.
#pragma once

#include "../../arithmetic/elementary.hpp"
#include "../../simd/vectors.hpp"
#include "../normalized_terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Taylor {
  static constexpr bool has_exponent = false, has_mantissa = true, has_scale = true;
  static constexpr bool is_positive = false, needs_positive_sum = false;
  static constexpr bool is_cheap = false;
  static constexpr double low = infinity, high = infinity;
  static constexpr double steepness_below = 0.0;  // the limit at -inf

  static D size(D x) { return larger(absolute(x), splat(1.0)); }
  static D reference(D largest) { return largest; }
  static D log2_scale(const Context& c) {
    return double(c.order) * c.exponent + (is_far(c) ? splat(log2_of_lift(c)) : D{});
  }
  template <class W>
  static W mantissa(D x, const Context& c) {
    return lifted(polynomial<W>(x * c.scale, c.scale, c.order, c.order), c);
  }
  // The polynomial of one order less, with one factor of the scale left over.
  template <class W>
  static W derivative(D x, const Context& c) {
    return scaled(lifted(polynomial<W>(x * c.scale, c.scale, c.order, c.order - 1), c), c.scale);
  }
  template <class W>
  static W steepness(D x, const Context& c) {
    const D one = scale_of(x);
    return scaled(polynomial<W>(x * one, one, c.order, c.order - 1) / polynomial<W>(x * one, one, c.order, c.order),
                  one);
  }
  template <class W>
  static W log_g(D x, const Context& c) {
    const D one = scale_of(x);
    // The exponent of the scale, as a number.
    const D power = (D)(((Bits)one >> 52) | 0x4330000000000000ull) - 0x1p52 - 1023.0;
    const W g = polynomial<W>(x * one, one, c.order, c.order) / W(splat(factorial(c.order)));
    return logarithm(g, -double(c.order) * power);
  }

 private:
  static double factorial(int n) {
    double product = 1.0;
    for (int i = 2; i <= n; ++i) product *= i;
    return product;
  }
  // Below a scale of 2^-20 the smallest g of a row would come near underflow after division by order!.
  static Mask is_far(const Context& c) { return c.scale < 0x1p-20; }
  static double log2_of_lift(const Context& c) { return double(63 - __builtin_clzll(uint64_t(factorial(c.order)))); }
  template <class W>
  static W lifted(W g, const Context& c) {
    const double power = double(uint64_t(1) << int(log2_of_lift(c)));
    const W raised = scaled(g, is_far(c) ? splat(power) : splat(1.0));
    return c.order == 2 ? scaled(raised, splat(0.5)) : raised / W(splat(factorial(c.order)));
  }
  static D scale_of(D x) {
    const Mask biased = (Mask)(((Bits)size(x) >> 52) & 0x7ff);
    // The inverse of the largest power would be subnormal.
    return (D)((Bits)(2046 - (biased > 2045 ? splat_integer(2045) : biased)) << 52);
  }
  // sum over j <= degree of (order! / j!) (y / s)^j s^degree by Horner's rule, homogeneous in y and the scale s. The
  // coefficients are integers, exact up to order 18. Around x = -1 the terms nearly cancel; W has the digits for that.
  template <class W>
  static W polynomial(D y, D s, int order, int degree) {
    W total(splat(factorial(order) / factorial(degree)));
    D power = s;
    for (int j = degree - 1; j >= 0; --j) {
      total = total * W(y) + W(power * (factorial(order) / factorial(j)));
      power *= s;
    }
    return total;
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
