// Sums of vectors and of softmax terms that keep more than the working precision.
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../simd/vectors.hpp"
#include "terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// A sum that keeps more than the working precision: float32 in double, float64 compensated.
template <class T>
struct Sum;
template <>
struct Sum<float> {
  static constexpr int unroll = LASTLAYER_BYTES == 64 ? 4 : 2;  // this many vectors at a time are fastest
  D low{}, high{};
  Vector<float> lost{};
  LASTLAYER_INLINE void add(Vector<float> v) {
    low += widened(low_half(v));
    high += widened(high_half(v));
  }
  LASTLAYER_INLINE void add(Terms<float> w) {
    add(w.hi);
    lost += w.lo();
  }
  // With a row in each lane: the rows of one half of the vector.
  LASTLAYER_INLINE Double lane_sums_of(int half) const {
    return Double(half ? high + widened(high_half(lost)) : low + widened(low_half(lost)));
  }
  LASTLAYER_INLINE Double lane_sums() const { return lane_sums_of(0) + lane_sums_of(1); }
  ScalarDoubleDouble total() const { return sum_of(lane_sums()); }
};
template <>
struct Sum<double> {
  static constexpr int unroll = 2;
  D sum{}, rest{};
  LASTLAYER_INLINE void add(D v) { add(Terms<double>::stored(v)); }
  LASTLAYER_INLINE void add(Terms<double> w) {
    const D s = sum + w.hi, t = s - sum;
    rest += (sum - (s - t)) + w.remainder_after(t);
    sum = s;
  }
  LASTLAYER_INLINE DoubleDouble lane_sums_of(int) const { return DoubleDouble::two_sum(sum, rest); }
  LASTLAYER_INLINE DoubleDouble lane_sums() const { return lane_sums_of(0); }
  ScalarDoubleDouble total() const { return sum_of(lane_sums()); }
};

// A sum of terms that are at most `start`. Starting there makes the rounding error of each addition exact to compute;
// the errors are summed separately. Float32 may lose 2^-34 of the total of 32 terms per lane in 16 lanes; relative to
// the others that grows as they get fewer: see `confident`.
template <class T>
struct TermSum {
  static constexpr int unroll = LASTLAYER_BYTES == 64 && sizeof(T) == 4 ? 4 : 2;
  static constexpr T start = sizeof(T) == 4 ? T(0x1p65) : T(0x1p513);
  Vector<T> sum = splat(start), lost{};
  LASTLAYER_INLINE void add(Terms<T> w) {
    const Vector<T> s = sum + w.hi;
    lost += w.remainder_after(s - sum);
    sum = s;
  }
  LASTLAYER_INLINE auto lane_sums() const {
    const Vector<T> grown = sum - start;
    if constexpr (sizeof(T) == 4)
      return Double((widened(low_half(grown)) + widened(high_half(grown))) + widened(low_half(lost) + high_half(lost)));
    else
      return DoubleDouble::two_sum(grown, lost);
  }
  // With a row in each lane: the rows of one half of the vector.
  LASTLAYER_INLINE auto lane_sums_of(int half) const {
    const Vector<T> grown = sum - start;
    if constexpr (sizeof(T) == 4)
      return Double(widened(half ? high_half(grown) : low_half(grown)) +
                    widened(half ? high_half(lost) : low_half(lost)));
    else
      return lane_sums();
  }
  ScalarDoubleDouble total() const { return sum_of(lane_sums()); }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
