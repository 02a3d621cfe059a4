// What a softmax tile knows of its rows, a row in each lane. A tile is a few rows that are computed together.
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../arithmetic/elementary.hpp"
#include "../simd/vectors.hpp"
#include "terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// The numbers of a tile's rows, in groups of `lanes` rows: float32 rows in one or two groups of Double, float64 rows in
// one of DoubleDouble.
template <class T, int groups>
struct RowNumbers;
template <int groups>
struct RowNumbers<float, groups> {
  using W = Double;
  static Double widen_group(Vector<float> v, int group) { return Double(widened(group ? high_half(v) : low_half(v))); }
  static Double widen_group(Vector<float> v, Vector<float> low, int group) {
    return widen_group(v, group) + widen_group(low, group);
  }
  static Vector<float> narrow(const D* v) {
    return joined(narrowed(v[0]), groups == 2 ? narrowed(v[groups - 1]) : Floats{});
  }
  static Lanes<float>::Integers narrow(const Mask* v) {
    const Mask halves[] = {v[0], groups == 2 ? v[groups - 1] : Mask{}};
    return narrowed(halves);
  }
};
template <>
struct RowNumbers<double, 1> {
  using W = DoubleDouble;
  static DoubleDouble widen_group(D v, int) { return DoubleDouble(v); }
  static DoubleDouble widen_group(D v, D low, int) { return {v, low}; }
  static D narrow(const D* groups) { return groups[0]; }
  static Mask narrow(const Mask* groups) { return groups[0]; }
};

template <class T, int groups_>
class TileRows : protected RowNumbers<T, groups_> {
 protected:
  using N = RowNumbers<T, groups_>;
  using V = Vector<T>;
  using R = ExponentialConstants<T>;

 public:
  using W = typename N::W;
  using N::narrow;
  static constexpr int groups = groups_, n = groups * lanes;  // the rows of a tile
  V largest;
  RowExponents<T, V> exponents;
  W max_term[groups], total[groups], others[groups];  // as in LongRow, for every row
  V stored_max_term;                                  // the largest term as it is stored

  // One class per row.
  struct Labels {
    typename Lanes<T>::Integers of_lanes;
    alignas(64) int64_t of_rows[n];
    explicit Labels(const Mask* labels) : of_lanes(narrow(labels)) {
      __builtin_memcpy(of_rows, labels, sizeof of_rows);
    }
  };

  // Factors of terms, one per row, in two parts: the rounding error of one alone would add to the term's.
  struct Factors {
    V hi, lo;
    explicit Factors(const W* factor) {
      D rounded[groups], rest[groups];
      for (int i = 0; i < groups; ++i) rounded[i] = factor[i].hi;
      hi = narrow(rounded);
      for (int i = 0; i < groups; ++i) rest[i] = (factor[i] - wide(hi, i)).value();
      lo = narrow(rest);
    }
    // If the low part would be lost below the smallest float, products are made in double.
    typename Lanes<T>::Integers is_wide() const {
      const T smallest = sizeof(T) == 4 ? T(0x1p-100) : T(0);
      return (hi < smallest) & (hi > -smallest);
    }
  };

  explicit TileRows(V largest) : largest(largest), exponents(largest) {}

  // These passes cannot compute rows with +inf, or of nothing but -inf. NaN passes through them.
  Mask is_finite(int group) const {
    const D x = wide(largest, group).hi;
    return (x < infinity) & (x > -infinity);
  }

  static W wide(V v, int group) { return N::widen_group(v, group); }

  // log(total / max_term), once `others` have their digits.
  void logarithms(W* log_sum) const {
    for (int i = 0; i < groups; ++i) log_sum[i] = log_of_total(max_term[i], others[i], total[i]);
  }

 protected:
  void set_sums(const W* sums) {
    const Terms<T> stored = compute_term<true>(largest, exponents);
    stored_max_term = stored.hi;
    for (int i = 0; i < groups; ++i) {
      const W summed = N::widen_group(stored.hi, stored.lo(), i);
      max_term[i] = exact(summed, i);
      others[i] = sums[i] - summed;
      total[i] = W::is_double_double ? sums[i] : max_term[i] + others[i];
    }
  }
  // Rows whose others have lost digits in total - largest.
  Mask is_confident(int group, double share) const { return others[group].hi < share * total[group].hi; }
  void set_others(Mask where, int group, W sum) {
    others[group] = choose(where, sum, others[group]);
    total[group] = max_term[group] + others[group];
  }

 private:
  // e^(x - K ln 2) of the largest score, more precise than T.
  DoubleDouble exact(DoubleDouble stored, int) const { return stored; }
  Double exact(Double, int i) const {
    const D r = fma(wide(exponents.power, i).hi, splat(-0.6931471805599453), wide(largest - exponents.offset, i).hi);
    return Double(fma(r * r, exponential_tail<Double>(r), r + 1.0) / R::unlift);
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
