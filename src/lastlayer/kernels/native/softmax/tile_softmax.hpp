// Softmax of rows by tiles: what was asked of each row, by the passes of few_rows.hpp or middle_rows.hpp. What they are
// not made for goes to the blocks that every mapping has.
#pragma once

#include "../api/kernels.hpp"
#include "../arithmetic/double_double.hpp"
#include "../general/blocks.hpp"
#include "../general/targets.hpp"
#include "../simd/nontemporal.hpp"
#include "few_rows.hpp"
#include "middle_rows.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T, class Point, class Tile>
struct TileSoftmax {
  using W = typename Tile::W;
  static constexpr int n = Tile::n, groups = Tile::groups;

  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    T* out = static_cast<T*>(r.out);
    double* rest = memory + Tile::memory_size(r.classes);
    const bool is_total_enough = r.quantity == Quantity::probabilities;
    const int tile_rows = Tile::rows_at_a_time(r.classes, is_total_enough);
    const auto begin_tile = [&](int64_t i) {
      return Tile::begin(scores + i * r.classes, int(end - i < tile_rows ? end - i : tile_rows), r.classes);
    };
    Vector<T> largest = begin_tile(begin);
    NonTemporalWriter<T> lines;
    for (int64_t i = begin; i < end; i += tile_rows) {
      const int rows = int(end - i < tile_rows ? end - i : tile_rows);
      T* to = r.quantity == Quantity::log_partition ? nullptr : out + i * r.classes;
      Tile tile(scores + i * r.classes, to, is_nontemporal(r), is_total_enough, rows, r.classes,
                reinterpret_cast<T*>(memory), largest);
      const int64_t next = ahead(i, end, (is_nontemporal(r) ? 2 : 1) * tile_rows, r.classes);
      Mask left_to_blocks[groups];
      for (int group = 0; group < groups; ++group) left_to_blocks[group] = ~tile.is_finite(group);
      bool left_out[n];
      const bool* skip = named(left_to_blocks, left_out);
      for (int row = 0; skip && row < rows; ++row)
        if (skip[row]) Blocks<T, Point>::evaluate(r, i + row, i + row + 1, rest);
      if (is_total_enough) {
        tile.compute_terms_for_total(skip, next);
        if (i + tile_rows < end) largest = begin_tile(i + tile_rows);
        W inverse[groups];
        for (int group = 0; group < groups; ++group) inverse[group] = fast_quotient(W(splat(1.0)), tile.total[group]);
        if constexpr (Tile::has_nontemporal)
          if (is_nontemporal(r)) {
            tile.write_nontemporal(inverse, nullptr, Vector<T>{}, skip, lines);
            continue;
          }
        tile.multiply(inverse, nullptr, skip);
        tile.write(to, skip);
        continue;
      }
      tile.compute_terms(skip, next);
      if (i + tile_rows < end) largest = begin_tile(i + tile_rows);
      W log_sum[groups];
      D rounded[groups];
      tile.logarithms(log_sum);
      for (int group = 0; group < groups; ++group)
        rounded[group] = (to ? log_sum[group] : Tile::wide(tile.largest, group) + log_sum[group]).value();
      const Vector<T> of_rows = Tile::narrow(rounded);
      if (to) {
        if constexpr (Tile::has_nontemporal)
          if (is_nontemporal(r)) {
            tile.write_logarithms_nontemporal(of_rows, to, skip, lines);
            continue;
          }
        tile.write_logarithms(of_rows, to, skip);
        continue;
      }
      for (int row = 0; row < rows; ++row)
        if (!skip || !skip[row]) out[i + row] = of_rows[row];
    }
    lines.close();
    if (is_nontemporal(r)) fence_nontemporal();
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const int tile_rows = Tile::rows_at_a_time(r.classes, false), next = (is_nontemporal(r) ? 2 : 1) * tile_rows;
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
  // How far ahead the tile is that is to be fetched while one is in work, so many rows away.
  static int64_t ahead(int64_t i, int64_t end, int rows, int64_t classes) {
    return i + 2 * rows <= end ? rows * classes : 0;
  }
  static void loss_of_tile(const Loss& r, int64_t first, int rows, int64_t next, double* memory, NonTemporalWriter<T>& lines) {
    const int64_t classes = r.classes;
    const T* scores = static_cast<const T*>(r.scores) + first * classes;
    T* gradient = r.gradient ? static_cast<T*>(r.gradient) + first * classes : nullptr;
    Tile tile(scores, gradient, is_nontemporal(r), gradient, rows, classes, reinterpret_cast<T*>(memory),
              Tile::begin(scores, rows, classes));
    const double uniform_share = r.label_smoothing / double(classes);
    alignas(64) int64_t some_labels[n] = {};
    alignas(64) double some_weights[n] = {};
    const int64_t* labels_of_rows = whole(r.labels + first, rows, some_labels);
    const double* row_weights = r.row_weight ? whole(r.row_weight + first, rows, some_weights) : nullptr;
    Mask left_to_blocks[groups], label[groups];
    D weight[groups], target[groups];
    for (int group = 0; group < groups; ++group) {
      Mask own;
      __builtin_memcpy(&own, labels_of_rows + group * lanes, sizeof own);
      weight[group] = row_weights ? load(row_weights + group * lanes) : splat(1.0);
      left_to_blocks[group] =
          ~tile.is_finite(group) | (own < 0) | (own >= classes) | (own == r.ignore_index) | (weight[group] == 0.0);
      if (r.z_loss != 0.0) left_to_blocks[group] |= absolute(Tile::wide(tile.largest, group).hi) > largest_of_z;
      label[group] = left_to_blocks[group] ? Mask{} : own;
      target[group] = splat(1.0 - r.label_smoothing + uniform_share);
    }
    const typename Tile::Labels labels(label);
    for (int row = 0; r.class_weight && row < n; ++row)
      target[row / lanes][row % lanes] = r.class_weight[labels.of_rows[row]];
    for (int group = 0; r.class_weight && group < groups; ++group) left_to_blocks[group] |= target[group] == 0.0;
    bool left_out[n];
    const bool* skip = named(left_to_blocks, left_out);
    for (int row = 0; skip && row < rows; ++row)
      if (skip[row]) Blocks<T, Point>::loss(r, first + row, first + row + 1, memory + Tile::memory_size(classes));
    const Vector<T> label_score = tile.scores_of(labels);
    // Before the weights may overwrite the scores.
    D distance[groups] = {};
    for (int group = 0; uniform_share != 0.0 && group < groups; ++group) distance[group] = tile.distance(group);
    tile.compute_terms(skip, next);
    const Vector<T> label_term = gradient ? tile.terms_of(labels) : Vector<T>{};
    W log_sum[groups], factor[groups];
    tile.logarithms(log_sum);
    D losses[groups], own[groups];
    for (int group = 0; group < groups; ++group) {
      const D y = target[group], w = weight[group], log_total = log_sum[group].value();
      const D largest = Tile::wide(tile.largest, group).hi, total = y - uniform_share + r.label_smoothing;
      const D above = y - uniform_share, label_distance = largest - Tile::wide(label_score, group).hi;
      // A label whose target is all smoothed away may have the score -inf.
      D loss = (log_sum[group] * W(total)).value() + (above != 0.0 ? above * label_distance : D{}), z_slope{};
      if (uniform_share != 0.0) loss += uniform_share * distance[group];
      if (r.z_loss != 0.0) {
        // By the label's class weight: see Targets::add_z_loss.
        const D z = largest + log_total, z_loss = r.class_weight ? r.z_loss * y : splat(r.z_loss);
        loss += z_loss * z * z;
        z_slope = 2.0 * z_loss * z;
      }
      losses[group] = w * loss;
      if (!gradient) continue;
      const D scale = w * r.gradient_scale, p = Tile::wide(label_term, group).hi;
      // The label's own entry is made of the other classes alone: p - 1 would round to zero before they do.
      const W inverse = fast_quotient(W(splat(1.0)), tile.total[group]);
      const W rest = choose(p == Tile::wide(tile.stored_max_term, group).hi, tile.others[group], tile.total[group] - W(p));
      own[group] = ((total - y + z_slope) * (p * inverse.hi) - y * (rest * inverse).value()) * scale;
      factor[group] = inverse * W(scale * (total + z_slope));
    }
    if (rows == n && !skip)
      for (int group = 0; group < groups; ++group) store(r.losses + first + group * lanes, losses[group]);
    else
      for (int row = 0; row < rows; ++row)
        if (!skip || !skip[row]) r.losses[first + row] = losses[row / lanes][row % lanes];
    if (!gradient) return;
    if constexpr (Tile::has_nontemporal)
      if (is_nontemporal(r) && uniform_share == 0.0) return tile.write_nontemporal(factor, &labels, Tile::narrow(own), skip, lines);
    lines.close();
    alignas(64) double shares[n];
    for (int group = 0; group < groups; ++group) store(shares + group * lanes, weight[group] * r.gradient_scale * uniform_share);
    tile.multiply(factor, uniform_share != 0.0 ? shares : nullptr, skip);
    tile.set(labels, Tile::narrow(own), skip);
    tile.write(gradient, skip);
  }

  // The rows that are named, or null where there are none.
  static const bool* named(const Mask* groups_of_rows, bool* rows) {
    Mask is_any{};
    for (int group = 0; group < groups; ++group) is_any |= groups_of_rows[group];
    if (!has_any(is_any)) return nullptr;
    for (int row = 0; row < n; ++row) rows[row] = groups_of_rows[row / lanes][row % lanes];
    return rows;
  }
  // As many as a tile has, of which some may not be there: those are the first one.
  template <class Number>
  static const Number* whole(const Number* from, int rows, Number* memory) {
    if (rows == n) return from;
    for (int i = 0; i < n; ++i) memory[i] = from[i < rows ? i : 0];
    return memory;
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
