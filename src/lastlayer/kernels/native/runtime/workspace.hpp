// The memory that one thread's kernels work in, in doubles, the same for every instruction set.
#pragma once
#include <cstdint>

#include "../thresholds.hpp"

namespace lastlayer {

// Doubles in the widest vector.
constexpr int64_t widest_lanes = 8;

// Rows of a half type that are widened at a time, in multiples of 16 where they are short.
inline int64_t half_strip_rows(int64_t classes) {
  const int64_t fit = thresholds::half_strip_scores / classes;
  return fit >= 16 ? fit / 16 * 16 : fit > 1 ? fit : 1;
}
// Doubles that the strip of floats takes, with one result per row.
inline int64_t half_strip_size(int64_t classes) { return (half_strip_rows(classes) * (classes + 1) + 15) / 16 * 8; }

// Doubles of a softmax tile: its terms, and a vector in front of them.
constexpr int64_t tile_workspace = thresholds::tile_bytes / 8 + widest_lanes;

// Arrays of the general blocks, each with a double per class and lane, that an evaluation and a loss need.
constexpr int evaluation_arrays = 3, loss_arrays = 5;
inline int64_t block_workspace(int64_t classes, int arrays) {
  const int64_t whole = (classes + widest_lanes - 1) / widest_lanes * widest_lanes;
  return arrays * (classes <= thresholds::row_per_lane_classes ? classes * widest_lanes : whole);
}

inline int64_t workspace_size(int64_t classes, int arrays) {
  return half_strip_size(classes) + tile_workspace + block_workspace(classes, arrays);
}

}  // namespace lastlayer
