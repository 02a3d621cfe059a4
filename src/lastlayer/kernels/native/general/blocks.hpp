// The general loop: any mapping, any options, block by block. A block is read from memory once and written once.
#pragma once

#include "../api/requests.hpp"
#include "activation.hpp"
#include "block_results.hpp"
#include "label_loss.hpp"
#include "layout.hpp"
#include "targets.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// The arrays of a block, each with a double per class and lane.
struct Workspace {
  double *x, *high, *low, *slope, *soft;
  Workspace(double* memory, const Layout& layout) {
    const int64_t size = layout.steps * lanes;
    x = memory;
    high = x + size;
    low = high + size;
    slope = low + size;
    soft = slope + size;
  }
};

// Blocks of copied scores, as doubles. The element type is known at run time only: element types share their
// arithmetic, so each mapping's code is compiled once for all of them.
template <class Point>
struct CopiedBlocks {
  // Rows [begin, end), which follow those whose results were stored last.
  __attribute__((noinline)) static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory,
                                                 BlockResults& results) {
    over_blocks(r.classes, begin, end, [&](int64_t first, const Layout& layout) __attribute__((always_inline)) {
      evaluate_block(r, first, layout, Workspace(memory, layout), results);
    });
  }
  __attribute__((noinline)) static void loss(const Loss& r, int64_t begin, int64_t end, double* memory,
                                             BlockResults& results) {
    over_blocks(r.classes, begin, end, [&](int64_t first, const Layout& layout) __attribute__((always_inline)) {
      loss_of_block(r, first, layout, Workspace(memory, layout), results);
    });
  }

 private:
  template <class Work>
  static LASTLAYER_INLINE void over_blocks(int64_t classes, int64_t begin, int64_t end, Work work) {
    const int64_t block = Layout::block(classes);
    for (int64_t i = begin; i < end; i += block) work(i, Layout(classes, int(end - i < block ? end - i : block)));
  }

  LASTLAYER_INLINE static void evaluate_block(const Evaluation& r, int64_t first, const Layout& layout,
                                              const Workspace& w, BlockResults& results) {
    load_block(r.element, r.scores, first, layout, w.x);
    const Point point(layout, w.x, w.high, w.low, r.at, first);
    if (r.quantity == Quantity::log_partition)
      return store_rows(r.element, r.out, first, layout, point.log_partition());
    r.quantity == Quantity::probabilities ? point.probabilities(w.high) : point.log_probabilities(w.high);
    results.put(r.out, first, layout, w.high);
  }

  LASTLAYER_INLINE static void loss_of_block(const Loss& r, int64_t first, const Layout& layout, const Workspace& w,
                                             BlockResults& results) {
    void* gradient = r.gradient;
    const Targets targets(r, layout, first, w.soft);
    D losses{};
    if (has_any(targets.is_counted)) {
      load_block(r.element, r.scores, first, layout, w.x);
      if (r.has_activation()) activate(r, layout, w.x, gradient ? w.slope : nullptr);
      Point point(layout, w.x, w.high, w.low, r.at, first);
      losses = point.loss(targets, gradient, r.gradient_scale) + targets.nan_mask;
      losses = targets.is_counted ? losses : D{};
      if (gradient) {
        const bool is_whole = !has_any(~targets.is_counted | (targets.nan_mask != 0.0));
        for (int64_t step = 0; (r.has_activation() || !is_whole) && step < layout.steps; ++step) {
          D g = load(w.high + step * lanes);
          if (r.has_activation()) g *= load(w.slope + step * lanes);
          store(w.high + step * lanes, targets.is_counted ? g + targets.nan_mask : D{});
        }
        results.put(gradient, first, layout, w.high);
      }
    } else if (gradient) {
      for (int64_t step = 0; step < layout.steps; ++step) store(w.high + step * lanes, D{});
      results.put(gradient, first, layout, w.high);
    }
    store_rows(Element::float64, r.losses, first, layout, losses);
  }
};

template <class E, class Point>
struct Blocks {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    if constexpr (can_read_in_place)
      if (r.classes > Point::longest_copy) return evaluate_in_place(r, begin, end, memory);
    BlockResults results(r.element, r.is_nontemporal && r.quantity != Quantity::log_partition, r.classes);
    CopiedBlocks<Point>::evaluate(r, begin, end, memory, results);
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    if constexpr (can_read_in_place) {
      const bool is_plain = r.labels && r.label_smoothing == 0.0 && !has_z_term(r) && !r.has_activation();
      if (is_plain && r.classes > Point::longest_copy) return loss_in_place(r, begin, end, memory);
    }
    BlockResults results(r.element, r.is_nontemporal, r.classes);
    CopiedBlocks<Point>::loss(r, begin, end, memory, results);
  }

 private:
  static constexpr bool can_read_in_place = Point::reads_in_place && !is_half<E>;

  // One row at a time, read and written in place; only expensive terms are stored in between. Rows that need the edge
  // path are copied.
  static void evaluate_in_place(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    using InPlace = typename Point::template Of<ScoresInPlace<E>>;
    const Layout layout(r.classes, 1);
    const Workspace w(memory, layout);
    BlockResults results(r.element, r.is_nontemporal && r.quantity != Quantity::log_partition, r.classes);
    for (int64_t i = begin; i < end; ++i) {
      const E* scores = static_cast<const E*>(r.scores) + i * r.classes;
      const InPlace point(layout, ScoresInPlace<E>(scores, layout, w.x), w.high, w.low, r.at, i);
      if (point.needs_edge_path()) {
        CopiedBlocks<Point>::evaluate(r, i, i + 1, memory, results);
      } else if (r.quantity == Quantity::log_partition) {
        store_rows(static_cast<E*>(r.out) + i, layout, point.log_partition());
      } else {
        E* to = static_cast<E*>(r.out) + i * r.classes;
        if (r.quantity == Quantity::probabilities)
          results.make(scores, layout, to, [&](int64_t place, D x) __attribute__((always_inline)) {
            return point.probabilities_from(place, x);
          });
        else
          results.make(scores, layout, to, [&](int64_t place, D x) __attribute__((always_inline)) {
            return point.log_probabilities_from(place, x);
          });
      }
    }
  }

  static void loss_in_place(const Loss& r, int64_t begin, int64_t end, double* memory) {
    using InPlace = typename Point::template Of<ScoresInPlace<E>>;
    const Layout layout(r.classes, 1);
    const Workspace w(memory, layout);
    BlockResults results(r.element, r.is_nontemporal, r.classes);
    for (int64_t i = begin; i < end; ++i) {
      const E* scores = static_cast<const E*>(r.scores) + i * r.classes;
      const Targets targets(r, layout, i, nullptr);
      if (!has_any(targets.is_counted) || has_any(targets.nan_mask != 0.0)) {
        CopiedBlocks<Point>::loss(r, i, i + 1, memory, results);
        continue;
      }
      InPlace point(layout, ScoresInPlace<E>(scores, layout, w.x), w.high, w.low, r.at, i);
      // A separate test from the one above: GCC 12 crashes on the combined one at baseline.
      if (point.needs_edge_path()) {
        CopiedBlocks<Point>::loss(r, i, i + 1, memory, results);
        continue;
      }
      store_rows(r.losses + i, layout, point.loss(targets, false, 0.0));
      if (!r.gradient) continue;
      E* to = static_cast<E*>(r.gradient) + i * r.classes;
      const typename InPlace::LabelSlopes slopes(point, targets, r.gradient_scale);
      results.make_but(slopes.label, slopes.label_entry, scores, layout, to,
                       [&](int64_t place, D x) __attribute__((always_inline)) { return slopes(place, x); });
    }
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
