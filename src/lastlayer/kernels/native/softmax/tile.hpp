// Softmax in its own precision of some rows at a time: what is known of each row, a row in each lane.
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../arithmetic/elementary.hpp"
#include "../simd/vectors.hpp"
#include "terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// What a tile knows of each row in wide arithmetic: float32 rows in one or two vectors of doubles, float64 rows in one
// pair.
template <class T, int parts>
struct RowNumbers;
template <int parts>
struct RowNumbers<float, parts> {
  using W = Real;
  static Real widen_part(Vector<float> v, int part) { return Real(widened(part ? high_half(v) : low_half(v))); }
  static Real widen_part(Vector<float> v, Vector<float> low, int part) {
    return widen_part(v, part) + widen_part(low, part);
  }
  static Vector<float> narrow(const D* v) {
    return joined(narrowed(v[0]), parts == 2 ? narrowed(v[parts - 1]) : Floats{});
  }
  static Lanes<float>::Integers narrow(const Mask* v) {
    const Mask halves[] = {v[0], parts == 2 ? v[parts - 1] : Mask{}};
    return narrowed(halves);
  }
};
template <>
struct RowNumbers<double, 1> {
  using W = Twofold;
  static Twofold widen_part(D v, int) { return Twofold(v); }
  static Twofold widen_part(D v, D low, int) { return {v, low}; }
  static D narrow(const D* parts) { return parts[0]; }
  static Mask narrow(const Mask* parts) { return parts[0]; }
};

template <class T, int parts_>
class TileRows : protected RowNumbers<T, parts_> {
 protected:
  using N = RowNumbers<T, parts_>;
  using V = Vector<T>;
  using R = Reduction<T>;

 public:
  using W = typename N::W;
  using N::narrow;
  static constexpr int parts = parts_, n = parts * lanes;  // the rows of a tile
  V largest;
  RowExponents<T, V> exponents;
  W top[parts], total[parts], others[parts];  // as for LongRow, of every row
  V kept;                                     // the largest score's weight as it stands among the weights

  // A class for each row.
  struct Labels {
    typename Lanes<T>::Integers of_lanes;
    alignas(64) int64_t of_rows[n];
    explicit Labels(const Mask* own) : of_lanes(narrow(own)) { __builtin_memcpy(of_rows, own, sizeof of_rows); }
  };

  // Factors of weights, one a row, in two parts: the rounding of one alone would add to the weight's.
  struct Factors {
    V hi, lo;
    explicit Factors(const W* factor) {
      D rounded[parts], rest[parts];
      for (int i = 0; i < parts; ++i) rounded[i] = factor[i].hi;
      hi = narrow(rounded);
      for (int i = 0; i < parts; ++i) rest[i] = (factor[i] - wide(hi, i)).value();
      lo = narrow(rest);
    }
    // Where the low part would be lost below the smallest float, products are made in double.
    typename Lanes<T>::Integers is_wide() const {
      const T smallest = sizeof(T) == 4 ? T(0x1p-100) : T(0);
      return (hi < smallest) & (hi > -smallest);
    }
  };

  explicit TileRows(V largest) : largest(largest), exponents(largest) {}

  // Rows that these passes can do: without +inf, and not of -inf alone. A NaN goes through them as it is.
  Mask is_finite(int part) const {
    const D x = wide(largest, part).hi;
    return (x < infinity) & (x > -infinity);
  }

  static W wide(V v, int part) { return N::widen_part(v, part); }

  // log(total / top), of others that have their digits.
  void logarithms(W* log_sum) const {
    for (int i = 0; i < parts; ++i) log_sum[i] = log_of_total(top[i], others[i], total[i]);
  }

 protected:
  void set_sums(const W* sums) {
    const Weights<T> own = weights<true>(largest, exponents);
    kept = own.hi;
    for (int i = 0; i < parts; ++i) {
      const W summed = N::widen_part(own.hi, own.lo(), i);
      top[i] = exact(summed, i);
      others[i] = sums[i] - summed;
      total[i] = W::is_twofold ? sums[i] : top[i] + others[i];
    }
  }
  // Rows whose others have lost digits in the difference.
  Mask is_confident(int part, double share) const { return others[part].hi < share * total[part].hi; }
  void set_others(Mask where, int part, W sum) {
    others[part] = choose(where, sum, others[part]);
    total[part] = top[part] + others[part];
  }

 private:
  // e^(x - K ln 2) of the largest score, to more than the precision of T.
  Twofold exact(Twofold kept_weight, int) const { return kept_weight; }
  Real exact(Real, int i) const {
    const D r = fma(wide(exponents.power, i).hi, all(-0.6931471805599453), wide(largest - exponents.offset, i).hi);
    return Real(fma(r * r, exponential_tail<Real>(r), r + 1.0) / R::unlift);
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
