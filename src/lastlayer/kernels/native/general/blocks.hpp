// Rows under any mapping, block by block: a block is read from memory once, and written once.
#pragma once

#include "../api/kernels.hpp"
#include "activation.hpp"
#include "block_results.hpp"
#include "layout.hpp"
#include "targets.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// The arrays that a block needs, of one number a class and lane each.
struct Workspace {
  double *x, *high, *low, *slope, *soft;
  Workspace(double* memory, const Layout& at) {
    const int64_t size = at.steps * lanes;
    x = memory;
    high = x + size;
    low = high + size;
    slope = low + size;
    soft = slope + size;
  }
};

template <class E, class Rows>
struct Blocks {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const int64_t block = Layout::block(r.classes);
    if constexpr (can_read_in_place)
      if (r.classes > Rows::longest_copy) return evaluate_in_place(r, begin, end, memory);
    BlockResults<E> results(r.is_streamed && r.quantity != Quantity::log_partition, r.classes);
    for (int64_t i = begin; i < end; i += block) {
      const Layout at(r.classes, int(end - i < block ? end - i : block));
      evaluate_block(r, i, at, Workspace(memory, at), results);
    }
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const int64_t block = Layout::block(r.classes);
    if constexpr (can_read_in_place) {
      const bool is_plain = r.labels && r.label_smoothing == 0.0 && r.z_loss == 0.0 && r.activation.is_identity();
      if (is_plain && r.classes > Rows::longest_copy) return loss_in_place(r, begin, end, memory);
    }
    BlockResults<E> results(r.is_streamed, r.classes);
    for (int64_t i = begin; i < end; i += block) {
      const Layout at(r.classes, int(end - i < block ? end - i : block));
      loss_of_block(r, i, at, Workspace(memory, at), results);
    }
  }

 private:
  static constexpr bool can_read_in_place = Rows::reads_in_place && !is_half<E>;

  LASTLAYER_INLINE static void evaluate_block(const Evaluation& r, int64_t first, const Layout& at, const Workspace& w,
                                              BlockResults<E>& results) {
    load_block(static_cast<const E*>(r.scores) + first * r.classes, at, w.x);
    const Rows rows(at, w.x, w.high, w.low, r.at, first);
    E* out = static_cast<E*>(r.out);
    if (r.quantity == Quantity::log_partition) return store_rows(out + first, at, rows.log_partition());
    r.quantity == Quantity::probabilities ? rows.probabilities(w.high) : rows.log_probabilities(w.high);
    results.put(out + first * r.classes, at, w.high);
  }

  // Rows along the lanes, from where their scores are to where their results belong, with nothing between but weights
  // that take longer than memory. Odd ones go by a copy.
  static void evaluate_in_place(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    using InPlace = typename Rows::template Of<ScoresInPlace<E>>;
    const Layout at(r.classes, 1);
    const Workspace w(memory, at);
    BlockResults<E> results(r.is_streamed && r.quantity != Quantity::log_partition, r.classes);
    for (int64_t i = begin; i < end; ++i) {
      const E* scores = static_cast<const E*>(r.scores) + i * r.classes;
      const InPlace rows(at, ScoresInPlace<E>(scores, at, w.x), w.high, w.low, r.at, i);
      if (rows.is_odd()) {
        evaluate_block(r, i, at, w, results);
      } else if (r.quantity == Quantity::log_partition) {
        store_rows(static_cast<E*>(r.out) + i, at, rows.log_partition());
      } else {
        E* to = static_cast<E*>(r.out) + i * r.classes;
        if (r.quantity == Quantity::probabilities)
          results.make(scores, at, to, [&](int64_t place, D x) __attribute__((always_inline)) {
            return rows.probabilities_from(place, x);
          });
        else
          results.make(scores, at, to, [&](int64_t place, D x) __attribute__((always_inline)) {
            return rows.log_probabilities_from(place, x);
          });
      }
    }
  }

  static void loss_in_place(const Loss& r, int64_t begin, int64_t end, double* memory) {
    using InPlace = typename Rows::template Of<ScoresInPlace<E>>;
    const Layout at(r.classes, 1);
    const Workspace w(memory, at);
    BlockResults<E> results(r.is_streamed, r.classes);
    for (int64_t i = begin; i < end; ++i) {
      const E* scores = static_cast<const E*>(r.scores) + i * r.classes;
      const Targets targets(r, at, i, Rows::has_weights_in_sum, nullptr, [](double*) {});
      if (!has_any(targets.is_counted) || has_any(targets.poison != 0.0)) {
        loss_of_block(r, i, at, w, results);
        continue;
      }
      InPlace rows(at, ScoresInPlace<E>(scores, at, w.x), w.high, w.low, r.at, i);
      // Not one question with the one above: GCC 12 fails on it, at baseline.
      if (rows.is_odd()) {
        loss_of_block(r, i, at, w, results);
        continue;
      }
      store_rows(r.losses + i, at, rows.loss(targets, false, 0.0));
      if (!r.gradient) continue;
      E* to = static_cast<E*>(r.gradient) + i * r.classes;
      const typename InPlace::LabelSlopes slopes(rows, targets, r.gradient_scale);
      results.make_but(slopes.label, slopes.own, scores, at, to,
                       [&](int64_t place, D x) __attribute__((always_inline)) { return slopes(place, x); });
    }
  }

  LASTLAYER_INLINE static void loss_of_block(const Loss& r, int64_t first, const Layout& at, const Workspace& w,
                                             BlockResults<E>& results) {
    E* gradient = r.gradient ? static_cast<E*>(r.gradient) + first * r.classes : nullptr;
    const Targets targets(r, at, first, Rows::has_weights_in_sum, w.soft, [&](double* to) {
      if (r.soft_element == Element::float32)
        load_block(static_cast<const float*>(r.soft_targets) + first * r.classes, at, to);
      else
        load_block(static_cast<const double*>(r.soft_targets) + first * r.classes, at, to);
    });
    D losses{};
    if (has_any(targets.is_counted)) {
      load_block(static_cast<const E*>(r.scores) + first * r.classes, at, w.x);
      const bool has_activation = !r.activation.is_identity();
      if (has_activation) activate(r.activation, at, w.x, gradient ? w.slope : nullptr);
      Rows rows(at, w.x, w.high, w.low, r.at, first);
      losses = rows.loss(targets, gradient, r.gradient_scale) + targets.poison;
      losses = targets.is_counted ? losses : D{};
      if (gradient) {
        const bool is_whole = !has_any(~targets.is_counted | (targets.poison != 0.0));
        for (int64_t step = 0; (has_activation || !is_whole) && step < at.steps; ++step) {
          D g = load(w.high + step * lanes);
          if (has_activation) g *= load(w.slope + step * lanes);
          store(w.high + step * lanes, targets.is_counted ? g + targets.poison : D{});
        }
        results.put(gradient, at, w.high);
      }
    } else if (gradient) {
      for (int64_t step = 0; step < at.steps; ++step) store(w.high + step * lanes, D{});
      results.put(gradient, at, w.high);
    }
    store_rows(r.losses + first, at, losses);
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
