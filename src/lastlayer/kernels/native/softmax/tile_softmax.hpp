// Softmax requests by tiles of rows, with the passes of few_rows.hpp or middle_rows.hpp. Rows that need edge handling
// go to the general blocks.
#pragma once

#include "../api/requests.hpp"
#include "../arithmetic/double_double.hpp"
#include "../general/blocks.hpp"
#include "../general/label_loss.hpp"
#include "../runtime/workspace.hpp"
#include "../simd/nontemporal.hpp"
#include "../thresholds.hpp"
#include "few_rows.hpp"
#include "middle_rows.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T, class Point, class Tile>
struct TileSoftmax {
  using W = typename Tile::W;
  static constexpr int n = Tile::n, groups = Tile::groups;
  static_assert(Tile::memory_size(thresholds::softmax_row_per_lane_classes) <= tile_workspace);

  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    double* block_memory = memory + Tile::memory_size(r.classes);
    const bool is_total_enough = r.quantity == Quantity::probabilities;
    const int tile_rows = Tile::rows_per_tile(r.classes, is_total_enough);
    const auto rows_from = [&](int64_t i) { return int(end - i < tile_rows ? end - i : tile_rows); };
    const auto begin_tile = [&](int64_t i) { return Tile::begin(scores + i * r.classes, rows_from(i), r.classes); };
    Vector<T> largest = begin_tile(begin);
    NonTemporalWriter<T> lines;
    for (int64_t i = begin; i < end; i += tile_rows) {
      const int rows = rows_from(i);
      T* results = r.quantity == Quantity::log_partition ? nullptr : static_cast<T*>(r.out) + i * r.classes;
      Tile tile(scores + i * r.classes, results, is_nontemporal(r), is_total_enough, rows, r.classes,
                reinterpret_cast<T*>(memory), largest);
      const int64_t next = ahead(i, end, (is_nontemporal(r) ? 2 : 1) * tile_rows, r.classes);
      Mask left_to_blocks[groups];
      for (int group = 0; group < groups; ++group) left_to_blocks[group] = ~tile.is_finite(group);
      bool left_out[n];
      const bool* skip = named(left_to_blocks, left_out);
      for (int row = 0; skip && row < rows; ++row)
        if (skip[row]) Blocks<T, Point>::evaluate(r, i + row, i + row + 1, block_memory);
      // Finds the next tile's maxima while this tile's terms are still being computed.
      const auto begin_next = [&]() __attribute__((always_inline)) {
        if (i + tile_rows < end) largest = begin_tile(i + tile_rows);
      };
      if (is_total_enough) {
        tile.compute_terms_for_total(skip, next);
        begin_next();
        write_probabilities(r, tile, results, skip, lines);
        continue;
      }
      tile.compute_terms(skip, next);
      begin_next();
      if (results)
        write_logarithms(r, tile, results, skip, lines);
      else
        write_log_partitions(tile, rows, static_cast<T*>(r.out) + i, skip);
    }
    lines.close();
    if (is_nontemporal(r)) fence_nontemporal();
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const int tile_rows = Tile::rows_per_tile(r.classes, false), next = (is_nontemporal(r) ? 2 : 1) * tile_rows;
    NonTemporalWriter<T> lines;
    for (int64_t i = begin; i < end; i += tile_rows)
      loss_of_tile(r, i, int(end - i < tile_rows ? end - i : tile_rows), ahead(i, end, next, r.classes), memory, lines);
    lines.close();
    if (is_nontemporal(r)) fence_nontemporal();
  }

 private:
  template <class Request>
  static bool is_nontemporal(const Request& r) {
    return Tile::has_nontemporal && r.is_nontemporal;
  }
  // Distance in scores to the tile to prefetch, `rows` rows ahead; 0 near the end.
  static int64_t ahead(int64_t i, int64_t end, int rows, int64_t classes) {
    return i + 2 * rows <= end ? rows * classes : 0;
  }
  static LASTLAYER_INLINE void write_probabilities(const Evaluation& r, Tile& tile, T* to, const bool* skip,
                                                   NonTemporalWriter<T>& lines) {
    W inverse[groups];
    for (int group = 0; group < groups; ++group) inverse[group] = fast_quotient(W(splat(1.0)), tile.total[group]);
    if constexpr (Tile::has_nontemporal)
      if (is_nontemporal(r)) return tile.write_nontemporal(inverse, nullptr, Vector<T>{}, skip, lines);
    tile.multiply(inverse, nullptr, skip);
    tile.write(to, skip);
  }
  static LASTLAYER_INLINE void write_logarithms(const Evaluation& r, Tile& tile, T* to, const bool* skip,
                                                NonTemporalWriter<T>& lines) {
    W log_sum[groups];
    D rounded[groups];
    tile.logarithms(log_sum);
    for (int group = 0; group < groups; ++group) rounded[group] = log_sum[group].value();
    if constexpr (Tile::has_nontemporal)
      if (is_nontemporal(r)) return tile.write_logarithms_nontemporal(Tile::narrow(rounded), to, skip, lines);
    tile.write_logarithms(Tile::narrow(rounded), to, skip);
  }
  static LASTLAYER_INLINE void write_log_partitions(Tile& tile, int rows, T* to, const bool* skip) {
    W log_sum[groups];
    D rounded[groups];
    tile.logarithms(log_sum);
    for (int group = 0; group < groups; ++group)
      rounded[group] = (Tile::wide(tile.largest, group) + log_sum[group]).value();
    const Vector<T> of_rows = Tile::narrow(rounded);
    for (int row = 0; row < rows; ++row)
      if (!skip || !skip[row]) to[row] = of_rows[row];
  }

  // The labels and weights of a tile's rows, a row in each lane.
  struct TileTargets {
    D row_weight[groups], label_weight[groups];
    Mask label[groups], left_to_blocks[groups];

    LASTLAYER_INLINE TileTargets(const Loss& r, const Tile& tile, int64_t first, int rows) {
      alignas(64) int64_t some_labels[n] = {};
      alignas(64) double some_weights[n] = {};
      const int64_t* labels = whole(r.labels + first, rows, some_labels);
      const double* weights = r.row_weight ? whole(r.row_weight + first, rows, some_weights) : nullptr;
      for (int group = 0; group < groups; ++group) {
        Mask given;
        __builtin_memcpy(&given, labels + group * lanes, sizeof given);
        row_weight[group] = weights ? load(weights + group * lanes) : splat(1.0);
        label_weight[group] = splat(1.0);
        left_to_blocks[group] = ~tile.is_finite(group) | (given < 0) | (given >= r.classes) |
                                (given == r.ignore_index) | (row_weight[group] == 0.0);
        if (has_z_term(r))
          left_to_blocks[group] |= absolute(Tile::wide(tile.largest, group).hi) > largest_score_of_z_term;
        label[group] = left_to_blocks[group] ? Mask{} : given;
      }
    }
    LASTLAYER_INLINE void read_class_weights(const double* class_weight, const int64_t* labels) {
      for (int row = 0; row < n; ++row) label_weight[row / lanes][row % lanes] = class_weight[labels[row]];
      for (int group = 0; group < groups; ++group) left_to_blocks[group] |= label_weight[group] == 0.0;
    }
  };

  static void loss_of_tile(const Loss& r, int64_t first, int rows, int64_t next, double* memory,
                           NonTemporalWriter<T>& lines) {
    const int64_t classes = r.classes;
    const T* scores = static_cast<const T*>(r.scores) + first * classes;
    T* gradient = r.gradient ? static_cast<T*>(r.gradient) + first * classes : nullptr;
    Tile tile(scores, gradient, is_nontemporal(r), gradient, rows, classes, reinterpret_cast<T*>(memory),
              Tile::begin(scores, rows, classes));
    const double uniform_share = r.label_smoothing / double(classes);
    TileTargets targets(r, tile, first, rows);
    const typename Tile::Labels labels(targets.label);
    if (r.class_weight) targets.read_class_weights(r.class_weight, labels.of_rows);
    bool left_out[n];
    const bool* skip = named(targets.left_to_blocks, left_out);
    for (int row = 0; skip && row < rows; ++row)
      if (skip[row]) Blocks<T, Point>::loss(r, first + row, first + row + 1, memory + Tile::memory_size(classes));
    const Vector<T> label_score = tile.scores_of(labels);
    const bool is_smoothed = uniform_share != 0.0;
    // Before the terms may overwrite the scores.
    D distances[groups] = {};
    for (int group = 0; is_smoothed && group < groups; ++group) distances[group] = tile.distance(group);
    tile.compute_terms(skip, next);
    const Vector<T> label_term = gradient ? tile.terms_of(labels) : Vector<T>{};
    W log_sum[groups], factor[groups];
    tile.logarithms(log_sum);
    D losses[groups], entries[groups];
    alignas(64) double shares[n];
    for (int group = 0; group < groups; ++group) {
      const LabelLoss<D> loss(r, uniform_share, targets.row_weight[group], targets.label_weight[group]);
      const D largest = Tile::wide(tile.largest, group).hi, z = largest + log_sum[group].value();
      const D label_part = loss.label_part(largest - Tile::wide(label_score, group).hi);
      const D uniform_part = is_smoothed ? loss.uniform_share * distances[group] : D{};
      losses[group] = loss.value((log_sum[group] * W(loss.total)).value(), label_part, uniform_part, z);
      if (!gradient) continue;
      const D scale = loss.weight * r.gradient_scale, z_slope = loss.z_slope(z), p = Tile::wide(label_term, group).hi;
      const W inverse = fast_quotient(W(splat(1.0)), tile.total[group]);
      const W others =
          choose(p == Tile::wide(tile.stored_max_term, group).hi, tile.others[group], tile.total[group] - W(p));
      entries[group] = loss.label_entry(p * inverse.hi, (others * inverse).value(), z_slope) * scale;
      factor[group] = inverse * W(scale * loss.slope_of_others(z_slope));
      if (is_smoothed) store(shares + group * lanes, scale * loss.uniform_share);
    }
    store_losses(r.losses + first, losses, rows, skip);
    if (!gradient) return;
    if constexpr (Tile::has_nontemporal)
      if (is_nontemporal(r) && !is_smoothed)
        return tile.write_nontemporal(factor, &labels, Tile::narrow(entries), skip, lines);
    lines.close();
    tile.multiply(factor, is_smoothed ? shares : nullptr, skip);
    tile.set(labels, Tile::narrow(entries), skip);
    tile.write(gradient, skip);
  }
  static LASTLAYER_INLINE void store_losses(double* to, const D* losses, int rows, const bool* skip) {
    if (rows == n && !skip)
      for (int group = 0; group < groups; ++group) store(to + group * lanes, losses[group]);
    else
      for (int row = 0; row < rows; ++row)
        if (!skip || !skip[row]) to[row] = losses[row / lanes][row % lanes];
  }

  // The marks of rows as booleans, or null if no row is marked.
  static const bool* named(const Mask* groups_of_rows, bool* rows) {
    Mask is_any{};
    for (int group = 0; group < groups; ++group) is_any |= groups_of_rows[group];
    if (!has_any(is_any)) return nullptr;
    for (int row = 0; row < n; ++row) rows[row] = groups_of_rows[row / lanes][row % lanes];
    return rows;
  }
  // A pointer to n numbers: `from`, or a copy in which missing rows repeat the first one.
  template <class Number>
  static const Number* whole(const Number* from, int rows, Number* memory) {
    if (rows == n) return from;
    for (int i = 0; i < n; ++i) memory[i] = from[i < rows ? i : 0];
    return memory;
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
