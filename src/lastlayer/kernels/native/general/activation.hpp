// Softcap, then temperature: softcap * tanh(x / softcap) / temperature, and its derivative.
#pragma once

#include "../api/requests.hpp"
#include "../arithmetic/elementary.hpp"
#include "layout.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Applies both to a block's scores; `slope`, if not null, receives the derivative at each score.
__attribute__((noinline)) void activate(const LossOptions& a, const Layout& layout, double* x, double* slope) {
  for (int64_t step = 0; step < layout.steps; ++step) {
    D v = load(x + step * lanes), s = splat(1.0);
    if (a.softcap != 0.0) {
      v = v / a.softcap;
      if (slope) {
        // 1 - tanh^2 would vanish long before sech^2 does.
        const D tail = exponential<0>(DoubleDouble(-2.0 * absolute(v))).hi;
        s = 4.0 * tail / ((1.0 + tail) * (1.0 + tail));
      }
      v = a.softcap * tanh(v);
    }
    store(x + step * lanes, v / a.temperature);
    if (slope) store(slope + step * lanes, s / a.temperature);
  }
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
