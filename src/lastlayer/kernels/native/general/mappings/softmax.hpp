// g = e^x: all exponent. Two options at run time: softmax-plus-one has an outcome with g = 1 that is never observed and
// shares the denominator; entmax at alpha = 1 has the loss of the regularized family.
#pragma once

#include "../../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Softmax {
  static constexpr bool has_exponent = true, has_mantissa = false, has_scale = false;
  static constexpr bool is_positive = false, needs_positive_sum = false;
  static constexpr bool is_cheap = false;
  static constexpr double low = 0.0, high = infinity;
  static D exponent(D x) { return x; }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
