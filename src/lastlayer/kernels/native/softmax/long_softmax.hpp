// Softmax of rows with many classes: what was asked of each row, by the passes of long_row.hpp. What they are not made
// for goes to the blocks that every mapping has.
#pragma once

#include <math.h>

#include "../api/kernels.hpp"
#include "../general/blocks.hpp"
#include "../general/targets.hpp"
#include "../simd/nontemporal.hpp"
#include "delayed_results.hpp"
#include "long_row.hpp"
#include "passes.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T, class Rows>
struct LongSoftmax {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    if (r.quantity == Quantity::log_partition) return log_partitions(r, begin, end, memory);
    r.quantity == Quantity::probabilities ? probabilities(r, begin, end, memory) : logarithms(r, begin, end, memory);
    if (is_streamed<T>(r)) finish_streams();
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const bool is_by_parts = can_sum_by_parts && !r.gradient && r.classes > long_row;
    is_by_parts ? losses_by_parts(r, begin, end, memory) : losses(r, begin, end, memory);
    if (is_streamed<T>(r)) finish_streams();
  }

 private:
  // Float64 sums keep all digits of a whole row.
  static constexpr bool can_sum_by_parts = sizeof(T) == 4;

  static void losses(const Loss& r, int64_t begin, int64_t end, double* memory) {
    RowResults<T, Gradients<T>> results(r.classes);
    over_rows(static_cast<const T*>(r.scores), begin, end, r.classes,
              [&](int64_t i, const T* x, T largest, RowBehind<T>& behind) {
                LongRow<T> passes(largest);
                const bool is_usual = r.z_loss == 0.0 || fabs(double(largest)) < largest_of_z;
                if (has_label(r, i) && passes.is_finite() && is_usual) {
                  loss_of_row(r, i, end, x, passes, memory, results, behind);
                } else {
                  results.close();
                  Blocks<T, Rows>::loss(r, i, i + 1, memory);
                }
              });
    results.close();
  }
  static void losses_by_parts(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    const auto next = [&](int64_t i) {
      for (; i < end && !has_label(r, i); ++i) losses(r, i, i + 1, memory);
      return i;
    };
    LongRow<T>::sum_by_parts(scores, begin, end, r.classes, next, [&](int64_t i, const LongRow<T>* row) {
      if (row)
        r.losses[i] = RowLoss(r, i, scores + i * r.classes, row->largest).value(row->log_sum);
      else
        losses(r, i, i + 1, memory);
    });
  }
  static bool has_label(const Loss& r, int64_t i) {
    return r.is_counted(i) && r.labels[i] >= 0 && r.labels[i] < r.classes;
  }

  static void probabilities(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    T* out = static_cast<T*>(r.out);
    RowResults<T, Factor<T>> results(r.classes);
    over_finite_rows(r, begin, end, memory, results,
                     [&](int64_t i, const T* x, LongRow<T>& passes, RowBehind<T>& behind) {
                       T* to = out + i * r.classes;
                       T* kept = is_streamed<T>(r) ? kept_weights(memory, i, r.classes) : to;
                       const Fetch<T> fetched = fetch(i, end, r.classes);
                       results.weigh(passes, x, kept, is_streamed<T>(r) ? fetched : fetched.in_place(to), behind);
                       const Pair inverse = passes.inverse();
                       if (is_streamed<T>(r))
                         results.set(kept, to, Factor<T>::of(inverse.hi, inverse.lo));
                       else
                         multiply(kept, to, r.classes, inverse.hi, inverse.lo, 0.0);
                     });
  }

  static void logarithms(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    T* out = static_cast<T*>(r.out);
    RowResults<T, Logarithms<T>> results(r.classes);
    over_finite_rows(r, begin, end, memory, results,
                     [&](int64_t i, const T* x, LongRow<T>& passes, RowBehind<T>& behind) {
                       T* to = out + i * r.classes;
                       Fetch<T> fetched = fetch(i, end, r.classes);
                       if (!is_streamed<T>(r)) fetched.results = to;
                       results.weigh(passes, x, nullptr, fetched, behind);
                       passes.separate(x, nullptr, r.classes);
                       const Logarithms<T> make = {passes.largest, T(passes.log_sum)};
                       if (is_streamed<T>(r))
                         results.set(x, to, make);
                       else
                         over_vectors(x, r.classes, passes.largest,
                                      [&](Vector<T> v, int64_t j, int count) { store_some(to + j, make(v), count); });
                     });
  }

  static void log_partitions(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    T* out = static_cast<T*>(r.out);
    if (can_sum_by_parts && r.classes > long_row) {
      const T* scores = static_cast<const T*>(r.scores);
      const auto next = [](int64_t i) { return i; };
      LongRow<T>::sum_by_parts(scores, begin, end, r.classes, next, [&](int64_t i, const LongRow<T>* row) {
        if (row)
          out[i] = T(double(row->largest) + row->log_sum);
        else
          whole_log_partitions(r, i, i + 1, memory);
      });
      return;
    }
    whole_log_partitions(r, begin, end, memory);
  }
  static void whole_log_partitions(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    T* out = static_cast<T*>(r.out);
    RowResults<T, Logarithms<T>> none(r.classes);
    over_finite_rows(r, begin, end, memory, none, [&](int64_t i, const T* x, LongRow<T>& passes, RowBehind<T>& behind) {
      none.weigh(passes, x, nullptr, fetch(i, end, r.classes), behind);
      passes.separate(x, nullptr, r.classes);
      out[i] = T(double(passes.largest) + passes.log_sum);
    });
  }

  // The rows that these passes can do; the others go to the blocks, when the last one's results have been written.
  template <class Results, class Work>
  static void over_finite_rows(const Evaluation& r, int64_t begin, int64_t end, double* memory, Results& results,
                               Work work) {
    over_rows(static_cast<const T*>(r.scores), begin, end, r.classes,
              [&](int64_t i, const T* x, T largest, RowBehind<T>& behind) {
                LongRow<T> passes(largest);
                if (passes.is_finite()) return work(i, x, passes, behind);
                results.close();
                Blocks<T, Rows>::evaluate(r, i, i + 1, memory);
              });
    results.close();
  }

  // Calls work(row, its scores, the largest, the row behind it) for each row.
  template <class Work>
  static void over_rows(const T* scores, int64_t begin, int64_t end, int64_t classes, Work work) {
    RowBehind<T> row{scores + begin * classes};
    row.see(classes);
    for (int64_t i = begin; i < end; ++i) {
      RowBehind<T> behind{i + 1 < end ? row.x + classes : nullptr};
      work(i, row.x, row.largest, behind);
      behind.see(classes);
      row = behind;
    }
  }

  // While the results of one row go past the caches the next one's weights are made: two places, in turns, each behind
  // a vector of what is before them. Whole vectors' addresses, as far as the results may be from one: stores beside
  // them take longer.
  static T* kept_weights(double* memory, int64_t row, int64_t classes) {
    constexpr int n = Lanes<T>::count;
    const int64_t size = (classes / n + 2) * n;
    return reinterpret_cast<T*>(memory) + (row % 2) * size + n;
  }
  // Two rows ahead, so that none comes late, or one that is long.
  static Fetch<T> fetch(int64_t i, int64_t end, int64_t classes) {
    const bool is_long = classes > long_row;
    const int64_t rows = is_long ? 1 : 2;
    return {i + rows < end ? rows * classes : 0, nullptr, is_long};
  }
  // What a row's loss is made of, besides the logarithm of its sum. Made before weights may overwrite the scores.
  struct RowLoss {
    double weight, even, own_target, total, largest, own_score, distance, z_loss;
    RowLoss(const Loss& r, int64_t i, const T* x, T largest_score) {
      const int64_t label = r.labels[i];
      const double smoothing = r.label_smoothing;
      even = smoothing / double(r.classes);
      const double label_weight = r.class_weight ? r.class_weight[label] : 1.0;
      own_target = label_weight * (1.0 - smoothing) + even;
      total = own_target - even + (even != 0.0 ? smoothing : 0.0);
      weight = r.row_weight ? r.row_weight[i] : 1.0;
      largest = double(largest_score);
      own_score = double(x[label]);
      distance = even != 0.0 ? even * distance_to(x, r.classes, largest) : 0.0;
      // By the label's class weight: see Targets::add_z_loss.
      z_loss = r.z_loss * label_weight;
    }
    double value(double log_sum) const {
      double loss = total * log_sum + distance;
      if (own_target != even) loss += (own_target - even) * (largest - own_score);
      const double z = largest + log_sum;
      if (z_loss != 0.0) loss += z_loss * z * z;
      return weight * loss;
    }
    // What the penalty adds to the gradient, in probabilities.
    double pull(double log_sum) const { return z_loss != 0.0 ? 2.0 * z_loss * (largest + log_sum) : 0.0; }
  };
  static void loss_of_row(const Loss& r, int64_t i, int64_t end, const T* x, LongRow<T>& passes, double* memory,
                          RowResults<T, Gradients<T>>& results, RowBehind<T>& behind) {
    const int64_t classes = r.classes, label = r.labels[i];
    const RowLoss loss(r, i, x, passes.largest);
    T* to = r.gradient ? static_cast<T*>(r.gradient) + i * classes : nullptr;
    T* kept = is_streamed<T>(r) ? kept_weights(memory, i, classes) : to;
    const Fetch<T> fetched = fetch(i, end, classes);
    results.weigh(passes, x, kept, to && !is_streamed<T>(r) ? fetched.in_place(to) : fetched, behind);
    passes.separate(x, kept, classes);
    r.losses[i] = loss.value(passes.log_sum);
    if (!to) return;
    const double scale = loss.weight * r.gradient_scale, pull = loss.pull(passes.log_sum),
                 all = scale * (loss.total + pull);
    const double own_weight = double(kept[label]);
    // The label's own entry is made of the other classes alone: p - 1 would round to zero before they do.
    const Pair rest = own_weight == passes.kept.hi ? passes.others : passes.total + Pair{-own_weight, 0.0};
    const double own = scale * ((loss.total - loss.own_target + pull) * (own_weight / passes.total.hi) -
                                loss.own_target * (rest.value() / passes.total.hi));
    const Pair inverse = passes.inverse();
    const Pair factor = {all * inverse.hi, __builtin_fma(all, inverse.hi, -(all * inverse.hi)) + all * inverse.lo};
    const auto products = Factor<T>::of(factor.hi, factor.lo);
    if (is_streamed<T>(r) && loss.even == 0.0 && !products.is_wide())
      return results.set(kept, to, {products, label, T(own)});
    results.close();
    multiply(kept, to, classes, factor.hi, factor.lo, scale * loss.even);
    to[label] = T(own);
  }

  // Of the smoothed part of the loss what differs between classes: the sum of max - x.
  static double distance_to(const T* x, int64_t classes, double largest) {
    double sums[8] = {};
    int64_t j = 0;
    for (; j + 8 <= classes; j += 8)
      for (int i = 0; i < 8; ++i) sums[i] += largest - double(x[j + i]);
    for (; j < classes; ++j) sums[0] += largest - double(x[j]);
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
