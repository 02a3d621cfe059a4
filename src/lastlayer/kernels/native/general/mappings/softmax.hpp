// g = e^x: all exponent.
#pragma once

#include "../../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Softmax {
  static constexpr bool has_exponent = true, has_mantissa = false, has_scale = false, has_spare = false;
  static constexpr bool is_positive = false, needs_positive_sum = false, is_fenchel_young = false;
  static constexpr bool is_cheap = false;
  static constexpr double low = 0.0, high = infinity;
  static D exponent(D x) { return x; }
};

// An outcome with g = 1 that is never observed shares the denominator.
struct SoftmaxPlusOne : Softmax {
  static constexpr bool has_spare = true;
};

// entmax at alpha = 1: softmax with the loss of the other family.
struct Shannon : Softmax {
  static constexpr bool is_fenchel_young = true;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
