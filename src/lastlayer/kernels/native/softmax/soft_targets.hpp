// Softmax with soft targets, float32 rows along the lanes: one row at a time. Each entry of the gradient is computed in
// double, and at a target from the other classes' sum.
#pragma once

#include "../api/requests.hpp"
#include "../general/blocks.hpp"
#include "../general/label_loss.hpp"
#include "../simd/elements.hpp"
#include "../simd/vectors.hpp"
#include "long_row.hpp"
#include "passes.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class Y>
LASTLAYER_INLINE void load_targets(const Y* from, int count, D* halves) {
  for (int half = 0; half < 2; ++half) {
    const int left = count - half * lanes;
    halves[half] = left >= lanes ? load_wide(from + half * lanes)
                   : left > 0    ? load_wide_some(from + half * lanes, left)
                                 : D{};
  }
}

template <class Point, class Y>
struct SoftTargetsSoftmax {
  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = static_cast<const float*>(r.scores) + i * r.classes;
      LongRow<float> passes(LongRow<float>::largest_of(x, r.classes));
      if (r.is_counted(i) && passes.is_finite())
        loss_of_row(r, i, x, passes, i + 1 < end ? r.classes : 0, memory);
      else
        Blocks<float, Point>::loss(r, i, i + 1, memory);
    }
  }

 private:
  static void loss_of_row(const Loss& r, int64_t i, const float* x, LongRow<float>& passes, int64_t next,
                          double* memory) {
    const int64_t classes = r.classes;
    const Y* given = static_cast<const Y*>(r.soft_targets) + i * classes;
    const double target_share = 1.0 - r.label_smoothing, uniform_share = r.label_smoothing / double(classes);
    float* to = r.gradient ? static_cast<float*>(r.gradient) + i * classes : nullptr;
    // The targets with smoothing applied, zero beyond the classes.
    const auto targets = [&](int64_t j, int count, D* y) __attribute__((always_inline)) {
      load_targets(given + j, count, y);
      for (int half = 0; uniform_share != 0.0 && half < 2; ++half)
        y[half] = lane_places(half) < splat_integer(count) ? y[half] * target_share + uniform_share : D{};
    };
    // Before the terms may overwrite the scores.
    D sums{}, distances{};
    Mask has_targets{};
    over_vectors(x, classes, passes.largest, [&](Vector<float> v, int64_t j, int count) __attribute__((always_inline)) {
      D y[2];
      targets(j, count, y);
      const D distance[2] = {double(passes.largest) - widened(low_half(v)),
                             double(passes.largest) - widened(high_half(v))};
      for (int half = 0; half < 2; ++half) {
        sums += y[half];
        distances += y[half] != 0.0 ? y[half] * distance[half] : D{};
        has_targets |= y[half] != 0.0;
      }
    });
    // The row does not count.
    if (!has_any(has_targets) && !has_z_term(r)) return Blocks<float, Point>::loss(r, i, i + 1, memory);
    const double total = sum_of(Double(sums)).hi, weight = r.row_weight ? r.row_weight[i] : 1.0;
    const Prefetch<float> prefetch = {next};
    passes.template compute_terms<false>(x, to, classes, to ? prefetch.in_place(to) : prefetch);
    passes.separate(x, to, classes);
    double loss = total * passes.log_sum + sum_of(Double(distances)).hi, z_slope = 0.0;
    if (has_z_term(r)) {
      const ZTerm<double> z_term(r, 1.0);
      const double z = double(passes.largest) + passes.log_sum;
      loss += z_term.value(z);
      z_slope = z_term.slope(z);
    }
    r.losses[i] = weight * loss;
    if (!to) return;
    const double factor = weight * r.gradient_scale / passes.total.hi, stored_max = passes.stored_max_term.hi;
    const double others = passes.others.value(), all_terms = passes.total.hi;
    over_vectors<float>(to, classes, 0.0f, [&](Vector<float> v, int64_t j, int count) __attribute__((always_inline)) {
      D y[2], g[2];
      targets(j, count, y);
      const D w[2] = {widened(low_half(v)), widened(high_half(v))};
      for (int half = 0; half < 2; ++half) {
        const D rest = w[half] == stored_max ? splat(others) : all_terms - w[half];
        g[half] = ((total + z_slope - y[half]) * w[half] - y[half] * rest) * factor;
      }
      store_some(to + j, joined(narrowed(g[0]), narrowed(g[1])), count);
    });
  }

  static Mask lane_places(int half) { return place_numbers<double>() + half * lanes; }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
