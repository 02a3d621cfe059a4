// Gradients of statistics and of label losses of softmax in the place of the scores, from what is known of each row.
#pragma once

#include "../api/requests.hpp"
#include "../simd/elements.hpp"
#include "../simd/vectors.hpp"
#include "peak.hpp"
#include "wide_rows.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class E>
struct SlopesOfRows {
  using W = typename Arithmetic<E>::Type;

  static void compute(const RowSlopes& r, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      E* x = static_cast<E*>(r.scores) + i * r.stride;
      const double m = r.row(RowSlopes::largest)[i], others = r.row(RowSlopes::others)[i];
      if (!r.is_live[i])
        fill(x, r.classes, 0.0);
      else if (m != m || others != others || m == -infinity)
        fill(x, r.classes, not_a_number);
      else
        r.has_activation() ? slopes<true>(r, i, x, m, others) : slopes<false>(r, i, x, m, others);
    }
  }

 private:
  static void fill(E* x, int64_t classes, double value) {
    for (int64_t j = 0; j < classes; j += lanes)
      store_rounded_some(x + j, splat(value), classes - j < lanes ? int(classes - j) : lanes);
  }

  template <bool is_activated>
  static void slopes(const RowSlopes& r, int64_t i, E* x, double m, double others) {
    const double factor = r.row(RowSlopes::factor)[i], slope = r.row(RowSlopes::slope)[i],
                 share = r.row(RowSlopes::share)[i], log_sum = log1p(others), inverse = 1.0 / (1.0 + others);
    const int64_t place = r.places[i];
    const bool is_here = place >= 0 && place < r.classes;
    double entry = 0.0;
    const Activated<W> activate(r);
    if (is_here) {
      // Before the slopes replace the scores.
      D derivative = splat(1.0);
      activate(splat(load_wide_one(x + place)), &derivative);
      const double weight = r.class_weight ? r.class_weight[place] : 1.0;
      entry = (r.row(RowSlopes::at_label)[i] - (share != 0.0 ? share * weight : 0.0)) * derivative[0];
    }
    const auto slopes_at = [&](D raw, int64_t j, int count) __attribute__((always_inline)) {
      D derivative = splat(1.0);
      const D v = is_activated ? activate(raw, &derivative) : raw;
      // Several infinite scores share equally.
      const W d = m == infinity ? W(v == m ? D{} : splat(-infinity)) : below_peak<W>(v, m);
      const W term = exponential<0>(d);
      const D p = d.hi > -farthest ? term.value() * inverse : D{};
      D s = p * (factor - slope * (larger(d.hi, splat(-farthest)) - log_sum));
      if (share != 0.0) s = s - share * (r.class_weight ? load_some(r.class_weight + j, count, 0.0) : splat(1.0));
      return is_activated ? s * derivative : s;
    };
    over_wide(x, 0, r.classes, [&](D raw, int64_t j, int count) __attribute__((always_inline)) {
      const D s = slopes_at(raw, j, count);
      count == lanes ? store_rounded(x + j, s) : store_rounded_some(x + j, s, count);
    });
    if (is_here) store_rounded_one(x + place, entry);
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
