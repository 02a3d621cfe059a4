// What the statistics of softmax and the slices of a sharded softmax need of a row: its maximum, and sums relative to
// it.
//
// The largest term is left out by its place, not by subtraction, so the others of a confident row keep their digits.
#pragma once

#include <type_traits>

#include "../api/requests.hpp"
#include "../simd/elements.hpp"
#include "../simd/vectors.hpp"
#include "passes.hpp"
#include "peak.hpp"
#include "term_sums.hpp"
#include "terms.hpp"
#include "wide_rows.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct PlainSum {
  D sum{};
  LASTLAYER_INLINE void add(D v) { sum += v; }
  ScalarDoubleDouble total() const { return sum_of(Double(sum)); }
};

template <class E>
struct SumsOfRows {
  using T = typename ReadAs<E>::Type;
  using W = typename Arithmetic<E>::Type;
  struct Two {
    double others, spread;
  };

  static void compute(const RowSums& r, int64_t begin, int64_t end) {
    const Activated<W> activate(r);
    for (int64_t i = begin; i < end; ++i) {
      const E* x = static_cast<const E*>(r.scores) + i * r.stride;
      const Peak<E> peak = Peak<E>::of(x, r.classes);
      const double m = activate.of_one(double(peak.score));
      const Two sums = sums_of(r, x, peak, m);
      const int64_t place = r.places[i];
      const bool is_here = place >= 0 && place < r.classes;
      double at_label = is_here ? activate.of_one(load_wide_one(x + place)) : 0.0;
      // Rounding of the softcap may put it above.
      if (is_here && at_label > m) at_label = m;
      r.row(RowSums::largest)[i] = m;
      r.row(RowSums::others)[i] = sums.others;
      r.row(RowSums::spread)[i] = sums.spread;
      r.row(RowSums::at_label)[i] = at_label;
      r.row(RowSums::raw_largest)[i] = double(peak.score);
      r.row(RowSums::distances)[i] = r.wants_distances ? distances(r, x, m) : 0.0;
      r.argmax[i] = peak.place;
    }
  }

 private:
  static Two sums_of(const RowSums& r, const E* x, const Peak<E>& peak, double m) {
    if (m != m) return {m, m};
    if (m == -infinity) return {0.0, 0.0};
    if (m == infinity) return {count_of_infinity(r, x) - 1.0, 0.0};
    if (r.has_activation()) return wide_sums<true>(r, x, peak.place, m);
    if constexpr (sizeof(T) == 8)
      return wide_sums<false>(r, x, peak.place, m);
    else
      return RowExponents<float, float>(peak.score).offset != 0.0f ? sums_of_terms<true>(r, x, peak)
                                                                   : sums_of_terms<false>(r, x, peak);
  }

  // float32 and half types: terms in float32 with their rounding errors, sums in double.
  template <bool is_far>
  static Two sums_of_terms(const RowSums& r, const E* x, const Peak<E>& peak) {
    constexpr int n = Lanes<float>::count, unroll = Sum<float>::unroll;
    const RowExponents<float, float> exponents(peak.score);
    RowExponents<float, float> rows[unroll];
    for (int i = 0; i < unroll; ++i) rows[i] = exponents;
    Sum<float> others, spread;
    const Vector<float> m = splat(peak.score);
    // A term is 0 from here on, but its product with an infinite distance would be NaN.
    const Vector<float> floor = splat(peak.score - 2.0f * ExponentialConstants<float>::reach);
    const auto product_with_distance = [&](Vector<float> v, Terms<float> w)
                                           __attribute__((always_inline)) { return w.hi * (m - larger(v, floor)); };
    const auto add_all = [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
      int64_t j = begin;
      for (; j + unroll * n <= end; j += unroll * n) {
        Vector<float> v[unroll];
        Terms<float> w[unroll];
        for (int i = 0; i < unroll; ++i) v[i] = load_vector(x + j + i * n);
        term_vectors<is_far, unroll>(v, rows, w);
        Vector<float> products = product_with_distance(v[0], w[0]);
        for (int i = 1; i < unroll; ++i) products = fma(w[i].hi, m - larger(v[i], floor), products);
        for (int i = 0; i < unroll; ++i) others.add(w[i]);
        spread.add(products);
      }
      for (; j < end; j += n) {
        const Vector<float> v =
            j + n <= end ? load_vector(x + j) : load_vector_some(x + j, int(end - j), -float(infinity));
        const Terms<float> w = compute_term<is_far>(v, exponents);
        others.add(w);
        spread.add(product_with_distance(v, w));
      }
    };
    add_all(0, peak.place);
    add_all(peak.place + 1, r.classes);
    // e^(m - K ln 2), exact: the rounding error of the stored term would show in every sum.
    const double rest = (double(peak.score) - double(exponents.offset)) - double(exponents.power) * 0.6931471805599453;
    const double term = exponential<ExponentialConstants<float>::lift>(Double(splat(rest))).hi[0];
    return {others.total().value() / term, spread.total().value() / term};
  }

  // In double or double-double.
  template <bool is_activated>
  static Two wide_sums(const RowSums& r, const E* x, int64_t largest_place, double m) {
    // Half of float64's digits are enough for narrower types.
    std::conditional_t<W::is_double_double, Sum<double>, PlainSum> others;
    PlainSum spread;
    const Activated<W> activate(r);
    const auto add = [&](D v, int64_t, int count) __attribute__((always_inline)) {
      if constexpr (is_activated) v = activate(v);
      const W d = below_peak<W>(v, m), term = exponential<0>(d);
      const Mask is_there = place_numbers<double>() < splat_integer(count);
      const D e = is_there ? term.value() : D{};
      if constexpr (W::is_double_double)
        others.add(Terms<double>{e, is_there ? (term.hi - e) + term.lo : D{}});
      else
        others.add(e);
      spread.add(e * -d.hi);
    };
    over_wide(x, 0, largest_place, add);
    over_wide(x, largest_place + 1, r.classes, add);
    return {others.total().value(), spread.total().value()};
  }

  static double count_of_infinity(const RowSums& r, const E* x) {
    double count = 0.0;
    for (int64_t j = 0; j < r.classes; ++j) count += load_wide_one(x + j) == infinity;
    return count;
  }

  // Relative to 0 if m is infinite. Infinite if a class that counts has a score of -inf.
  static double distances(const RowSums& r, const E* x, double m) {
    const double anchor = m - m == 0.0 ? m : 0.0;
    Sum<double> sum;
    bool is_infinite = false;
    const Activated<W> activate(r);
    over_wide(x, 0, r.classes, [&](D v, int64_t j, int count) {
      const D d = anchor - activate(v);
      const D w = r.class_weight ? load_some(r.class_weight + j, count, 0.0) : splat(1.0);
      const Mask counts = (place_numbers<double>() < splat_integer(count)) & (w != 0.0);
      const D term = counts ? w * d : D{};
      is_infinite |= has_any(term == infinity);
      sum.add(term);
    });
    return is_infinite ? infinity : sum.total().value();
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
