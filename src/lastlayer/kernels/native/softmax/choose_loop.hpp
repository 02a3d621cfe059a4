// Which loop serves a softmax request.
#pragma once

#include "../api/requests.hpp"
#include "../general/blocks.hpp"
#include "../simd/elements.hpp"
#include "../thresholds.hpp"
#include "few_rows.hpp"
#include "half_strips.hpp"
#include "long_softmax.hpp"
#include "middle_rows.hpp"
#include "soft_targets.hpp"
#include "tile_softmax.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Softmax in the precision of its scores; half types are computed in float32.
template <class E, class Point>
struct SoftmaxLoops {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    if constexpr (is_half<E>) {
      HalfStrips<E, Point>::evaluate(r, begin, end, memory);
    } else {
      // With one class, the general blocks give exactly 1 whatever rounding error its term has.
      if (r.classes == 1) return Blocks<E, Point>::evaluate(r, begin, end, memory);
      if (r.classes <= thresholds::softmax_row_per_lane_classes)
        return TileSoftmax<E, Point, FewRows<E>>::evaluate(r, begin, end, memory);
      if (r.classes <= thresholds::softmax_tile_classes)
        return TileSoftmax<E, Point, MiddleRows<E>>::evaluate(r, begin, end, memory);
      LongSoftmax<E, Point>::evaluate(r, begin, end, memory);
    }
  }
  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    // The softmax loops take plain scores with labels (but not smoothing and class weights together), or float32 with
    // soft targets.
    const bool has_passes = r.labels ? !(r.label_smoothing != 0.0 && r.class_weight)
                                     : sizeof(E) < 8 && !r.class_weight && r.classes > thresholds::row_per_lane_classes;
    if (r.needs_general_blocks() || !has_passes || r.classes == 1) return Blocks<E, Point>::loss(r, begin, end, memory);
    if constexpr (is_half<E>) {
      HalfStrips<E, Point>::loss(r, begin, end, memory);
    } else {
      if constexpr (sizeof(E) == 4) {
        if (!r.labels && r.soft_element == Element::float32)
          return SoftTargetsSoftmax<Point, float>::loss(r, begin, end, memory);
        if (!r.labels) return SoftTargetsSoftmax<Point, double>::loss(r, begin, end, memory);
      }
      if (r.classes <= thresholds::softmax_row_per_lane_classes)
        return TileSoftmax<E, Point, FewRows<E>>::loss(r, begin, end, memory);
      if (r.classes <= thresholds::softmax_tile_classes)
        return TileSoftmax<E, Point, MiddleRows<E>>::loss(r, begin, end, memory);
      LongSoftmax<E, Point>::loss(r, begin, end, memory);
    }
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
