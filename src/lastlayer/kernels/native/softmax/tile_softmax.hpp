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

template <class T, class Rows, class Tile>
struct TileSoftmax {
  using W = typename Tile::W;
  static constexpr int n = Tile::n, parts = Tile::parts;

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
    LineStream<T> lines;
    for (int64_t i = begin; i < end; i += tile_rows) {
      const int rows = int(end - i < tile_rows ? end - i : tile_rows);
      T* to = r.quantity == Quantity::log_partition ? nullptr : out + i * r.classes;
      Tile tile(scores + i * r.classes, to, is_streamed(r), is_total_enough, rows, r.classes,
                reinterpret_cast<T*>(memory), largest);
      const int64_t next = ahead(i, end, (is_streamed(r) ? 2 : 1) * tile_rows, r.classes);
      Mask elsewhere[parts];
      for (int part = 0; part < parts; ++part) elsewhere[part] = ~tile.is_finite(part);
      bool left_out[n];
      const bool* skip = named(elsewhere, left_out);
      for (int row = 0; skip && row < rows; ++row)
        if (skip[row]) Blocks<T, Rows>::evaluate(r, i + row, i + row + 1, rest);
      if (is_total_enough) {
        tile.weigh_for_total(skip, next);
        if (i + tile_rows < end) largest = begin_tile(i + tile_rows);
        W inverse[parts];
        for (int part = 0; part < parts; ++part) inverse[part] = over(W(all(1.0)), tile.total[part]);
        if constexpr (Tile::streams)
          if (is_streamed(r)) {
            tile.stream(inverse, nullptr, Vector<T>{}, skip, lines);
            continue;
          }
        tile.multiply(inverse, nullptr, skip);
        tile.write(to, skip);
        continue;
      }
      tile.weigh(skip, next);
      if (i + tile_rows < end) largest = begin_tile(i + tile_rows);
      W log_sum[parts];
      D rounded[parts];
      tile.logarithms(log_sum);
      for (int part = 0; part < parts; ++part)
        rounded[part] = (to ? log_sum[part] : Tile::wide(tile.largest, part) + log_sum[part]).value();
      const Vector<T> of_rows = Tile::narrow(rounded);
      if (to) {
        if constexpr (Tile::streams)
          if (is_streamed(r)) {
            tile.stream_logarithms(of_rows, to, skip, lines);
            continue;
          }
        tile.write_logarithms(of_rows, to, skip);
        continue;
      }
      for (int row = 0; row < rows; ++row)
        if (!skip || !skip[row]) out[i + row] = of_rows[row];
    }
    lines.close();
    if (is_streamed(r)) finish_streams();
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const int tile_rows = Tile::rows_at_a_time(r.classes, false), next = (is_streamed(r) ? 2 : 1) * tile_rows;
    LineStream<T> lines;
    for (int64_t i = begin; i < end; i += tile_rows)
      loss_of_tile(r, i, int(end - i < tile_rows ? end - i : tile_rows), ahead(i, end, next, r.classes), memory, lines);
    lines.close();
    if (is_streamed(r)) finish_streams();
  }

 private:
  template <class Request>
  static bool is_streamed(const Request& r) {
    return Tile::streams && r.is_streamed;
  }
  // How far ahead the tile is that is to be fetched while one is in work, so many rows away.
  static int64_t ahead(int64_t i, int64_t end, int rows, int64_t classes) {
    return i + 2 * rows <= end ? rows * classes : 0;
  }
  static void loss_of_tile(const Loss& r, int64_t first, int rows, int64_t next, double* memory, LineStream<T>& lines) {
    const int64_t classes = r.classes;
    const T* scores = static_cast<const T*>(r.scores) + first * classes;
    T* gradient = r.gradient ? static_cast<T*>(r.gradient) + first * classes : nullptr;
    Tile tile(scores, gradient, is_streamed(r), gradient, rows, classes, reinterpret_cast<T*>(memory),
              Tile::begin(scores, rows, classes));
    const double even = r.label_smoothing / double(classes);
    alignas(64) int64_t some_labels[n] = {};
    alignas(64) double some_weights[n] = {};
    const int64_t* own_labels = whole(r.labels + first, rows, some_labels);
    const double* row_weights = r.row_weight ? whole(r.row_weight + first, rows, some_weights) : nullptr;
    Mask elsewhere[parts], label[parts];
    D weight[parts], target[parts];
    for (int part = 0; part < parts; ++part) {
      Mask own;
      __builtin_memcpy(&own, own_labels + part * lanes, sizeof own);
      weight[part] = row_weights ? load(row_weights + part * lanes) : all(1.0);
      elsewhere[part] =
          ~tile.is_finite(part) | (own < 0) | (own >= classes) | (own == r.ignore_index) | (weight[part] == 0.0);
      if (r.z_loss != 0.0) elsewhere[part] |= absolute(Tile::wide(tile.largest, part).hi) > largest_of_z;
      label[part] = elsewhere[part] ? Mask{} : own;
      target[part] = all(1.0 - r.label_smoothing + even);
    }
    const typename Tile::Labels labels(label);
    for (int row = 0; r.class_weight && row < n; ++row)
      target[row / lanes][row % lanes] = r.class_weight[labels.of_rows[row]];
    for (int part = 0; r.class_weight && part < parts; ++part) elsewhere[part] |= target[part] == 0.0;
    bool left_out[n];
    const bool* skip = named(elsewhere, left_out);
    for (int row = 0; skip && row < rows; ++row)
      if (skip[row]) Blocks<T, Rows>::loss(r, first + row, first + row + 1, memory + Tile::memory_size(classes));
    const Vector<T> own_score = tile.scores_of(labels);
    // Before the weights may overwrite the scores.
    D distance[parts] = {};
    for (int part = 0; even != 0.0 && part < parts; ++part) distance[part] = tile.distance(part);
    tile.weigh(skip, next);
    const Vector<T> own_weight = gradient ? tile.weights_of(labels) : Vector<T>{};
    W log_sum[parts], factor[parts];
    tile.logarithms(log_sum);
    D losses[parts], own[parts];
    for (int part = 0; part < parts; ++part) {
      const D y = target[part], w = weight[part], log_total = log_sum[part].value();
      const D largest = Tile::wide(tile.largest, part).hi, total = y - even + r.label_smoothing;
      const D above = y - even, own_distance = largest - Tile::wide(own_score, part).hi;
      // A label whose target is all smoothed away may have the score -inf.
      D loss = (log_sum[part] * W(total)).value() + (above != 0.0 ? above * own_distance : D{}), pull{};
      if (even != 0.0) loss += even * distance[part];
      if (r.z_loss != 0.0) {
        // By the label's class weight: see Targets::add_z_loss.
        const D z = largest + log_total, z_loss = r.class_weight ? r.z_loss * y : all(r.z_loss);
        loss += z_loss * z * z;
        pull = 2.0 * z_loss * z;
      }
      losses[part] = w * loss;
      if (!gradient) continue;
      const D scale = w * r.gradient_scale, p = Tile::wide(own_weight, part).hi;
      // The label's own entry is made of the other classes alone: p - 1 would round to zero before they do.
      const W inverse = over(W(all(1.0)), tile.total[part]);
      const W rest = choose(p == Tile::wide(tile.kept, part).hi, tile.others[part], tile.total[part] - W(p));
      own[part] = ((total - y + pull) * (p * inverse.hi) - y * (rest * inverse).value()) * scale;
      factor[part] = inverse * W(scale * (total + pull));
    }
    if (rows == n && !skip)
      for (int part = 0; part < parts; ++part) store(r.losses + first + part * lanes, losses[part]);
    else
      for (int row = 0; row < rows; ++row)
        if (!skip || !skip[row]) r.losses[first + row] = losses[row / lanes][row % lanes];
    if (!gradient) return;
    if constexpr (Tile::streams)
      if (is_streamed(r) && even == 0.0) return tile.stream(factor, &labels, Tile::narrow(own), skip, lines);
    lines.close();
    alignas(64) double shares[n];
    for (int part = 0; part < parts; ++part) store(shares + part * lanes, weight[part] * r.gradient_scale * even);
    tile.multiply(factor, even != 0.0 ? shares : nullptr, skip);
    tile.set(labels, Tile::narrow(own), skip);
    tile.write(gradient, skip);
  }

  // The rows that are named, or null where there are none.
  static const bool* named(const Mask* parts_of_rows, bool* rows) {
    Mask is_any{};
    for (int part = 0; part < parts; ++part) is_any |= parts_of_rows[part];
    if (!has_any(is_any)) return nullptr;
    for (int row = 0; row < n; ++row) rows[row] = parts_of_rows[row / lanes][row % lanes];
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
