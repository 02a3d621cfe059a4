// What differs between sparsemax, 1.5-entmax and entmax of any other a: how p follows from its base 1 + (a - 1) u, its
// slope p^(2 - a) = p / base in u, Newton's step towards sum p = 1, and one class's divergence D(y, p), where u is at
// least the edge of the support, and y is 0 or 1 if is_plain. `rate` is a - 1.
#pragma once

#include <math.h>

#include "../../arithmetic/elementary.hpp"
#include "../../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// a = 2.
struct Linear {
  template <class W>
  static W power(W base, W, D) {
    return base;
  }
  static D lowest(double classes, D) { return splat(1.0 / classes - 1.0); }
  static D newton(D total, D slope, D) { return (total - 1.0) / slope; }
  static D slope(D, D p) { return p > 0.0 ? splat(1.0) : D{}; }
  static D divergence(D, D, D gap, D, D, bool) { return gap * gap * 0.5; }
};

// a = 1.5.
struct Square {
  template <class W>
  static W power(W base, W, D) {
    return base * base;
  }
  static D lowest(double classes, D) { return splat(2.0 * (1.0 / __builtin_sqrt(classes) - 1.0)); }
  // Newton on the norm, the square root of the total, which is nearly linear in t.
  static D newton(D total, D slope, D) { return 2.0 * (total - square_root(total)) / slope; }
  static D slope(D base, D) { return base > 0.0 ? base : D{}; }
  // (sqrt y - sqrt p)^2 (sqrt y + sqrt p / 2) / (a (a - 1)), with the difference of the roots computed from y - p.
  static D divergence(D p, D y, D gap, D, D, bool is_plain) {
    const D root_y = is_plain ? y : square_root(y), root_p = square_root(p);
    const D sum = root_y + root_p, difference = gap / (sum > 0.0 ? sum : splat(1.0));
    return difference * difference * (root_y + 0.5 * root_p) / 0.75;
  }
};

struct AnyPower {
  // `below` is base - 1: only from it has the logarithm its digits as a goes to 1.
  template <class W>
  static W power(W, W below, D rate) {
    const W u = log1p(below) / W(rate);
    if constexpr (W::is_double_double) return exponential<0>(u);
    // Beyond the exponential's reach p is zero: e^reach would show in log p.
    return choose(u.hi < -700.0, W(D{}), exponential<0>(u));
  }
  static D lowest(double classes, D rate) {
    for (int i = 0; i < lanes; ++i) rate[i] = ::expm1(-rate[i] * ::log(classes)) / rate[i];
    return rate;
  }
  // Newton on ln_a of the total, which is convex in t for a <= 2, and linear at a = 1.
  static D newton(D total, D slope, D rate) {
    const D log_total = logarithm(Double(total)).hi, z = rate * log_total;
    const D near = log_total * (1.0 + z * (0.5 + z * (1.0 / 6.0 + z * (1.0 / 24.0))));
    const D far = (exponential<0>(Double(z)).hi - 1.0) / rate;
    const D power = exponential<0>(Double((1.0 - rate) * log_total)).hi;
    return (absolute(z) < 1e-3 ? near : far) * power / slope;
  }
  static D slope(D base, D p) { return p > 0.0 ? p / base : D{}; }
  // ln_a(y) by expm1, which keeps its digits as a goes to 1.
  static D divergence(D, D y, D gap, D u, D rate, bool) {
    D log_y = y;
    for (int i = 0; i < lanes; ++i) log_y[i] = y[i] > 0.0 ? ::expm1(rate[i] * ::log(y[i])) / rate[i] : 0.0;
    const D base = 1.0 + rate * u;
    const D result = (y * (log_y - u) + (base > 0.0 ? base : D{}) * gap) / (1.0 + rate);
    return result > 0.0 ? result : D{};
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
