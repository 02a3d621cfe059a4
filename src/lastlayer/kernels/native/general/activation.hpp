// Softcap, then temperature: softcap * tanh(x / softcap) / temperature, and its derivative.
#pragma once

#include "../api/requests.hpp"
#include "../arithmetic/elementary.hpp"
#include "layout.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// One vector of scores after both; `slope`, if not null, receives the derivative.
LASTLAYER_INLINE D activated(double softcap, double temperature, D v, D* slope) {
  D s = splat(1.0);
  if (softcap != 0.0) {
    v = v / softcap;
    if (slope) {
      // 1 - tanh^2 would vanish long before sech^2 does.
      const D tail = exponential<0>(DoubleDouble(-2.0 * absolute(v))).hi;
      s = 4.0 * tail / ((1.0 + tail) * (1.0 + tail));
    }
    v = softcap * tanh(v);
  }
  if (slope) *slope = s / temperature;
  return v / temperature;
}

// Applies both to a block's scores; `slope`, if not null, receives the derivative at each score.
__attribute__((noinline)) void activate(const LossOptions& a, const Layout& layout, double* x, double* slope) {
  for (int64_t step = 0; step < layout.steps; ++step) {
    D s;
    store(x + step * lanes, activated(a.softcap, a.temperature, load(x + step * lanes), slope ? &s : nullptr));
    if (slope) store(slope + step * lanes, s);
  }
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
