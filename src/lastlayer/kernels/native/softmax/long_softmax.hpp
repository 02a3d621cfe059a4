// Softmax requests of rows with many classes, by the passes of long_row.hpp. Rows that need edge handling go to the
// general blocks.
#pragma once

#include <math.h>

#include "../api/requests.hpp"
#include "../general/blocks.hpp"
#include "../general/label_loss.hpp"
#include "../simd/nontemporal.hpp"
#include "../thresholds.hpp"
#include "delayed_results.hpp"
#include "long_row.hpp"
#include "passes.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T, class Point>
struct LongSoftmax {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    if (r.quantity == Quantity::log_partition) return log_partitions(r, begin, end, memory);
    r.quantity == Quantity::probabilities ? probabilities(r, begin, end, memory) : logarithms(r, begin, end, memory);
    if (is_nontemporal<T>(r)) fence_nontemporal();
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const bool is_by_chunks = can_sum_by_chunks && !r.gradient && r.classes > thresholds::long_row_classes;
    is_by_chunks ? losses_by_chunks(r, begin, end, memory) : losses(r, begin, end, memory);
    if (is_nontemporal<T>(r)) fence_nontemporal();
  }

 private:
  // Float64 sums keep all digits of a whole row.
  static constexpr bool can_sum_by_chunks = sizeof(T) == 4;

  static void losses(const Loss& r, int64_t begin, int64_t end, double* memory) {
    DelayedResults<T, Gradients<T>> results(r.classes);
    over_rows(static_cast<const T*>(r.scores), begin, end, r.classes,
              [&](int64_t i, const T* x, T largest, NextRow<T>& following) {
                LongRow<T> passes(largest);
                const bool is_usual = !has_z_term(r) || fabs(double(largest)) < largest_score_of_z_term;
                if (has_label(r, i) && passes.is_finite() && is_usual) {
                  loss_of_row(r, i, end, x, passes, memory, results, following);
                } else {
                  results.close();
                  Blocks<T, Point>::loss(r, i, i + 1, memory);
                }
              });
    results.close();
  }
  static void losses_by_chunks(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    const auto next = [&](int64_t i) {
      for (; i < end && !has_label(r, i); ++i) losses(r, i, i + 1, memory);
      return i;
    };
    LongRow<T>::sum_by_chunks(scores, begin, end, r.classes, next, [&](int64_t i, const LongRow<T>* row) {
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
    DelayedResults<T, Factor<T>> results(r.classes);
    over_finite_rows(
        r, begin, end, memory, results, [&](int64_t i, const T* x, LongRow<T>& passes, NextRow<T>& following) {
          T* to = out + i * r.classes;
          T* stored = is_nontemporal<T>(r) ? term_storage(memory, i, r.classes) : to;
          const Prefetch<T> prefetch = prefetch_for(i, end, r.classes);
          results.compute_terms(passes, x, stored, is_nontemporal<T>(r) ? prefetch : prefetch.in_place(to), following);
          const ScalarDoubleDouble inverse = passes.inverse();
          if (is_nontemporal<T>(r))
            results.set(stored, to, Factor<T>::of(inverse.hi, inverse.lo));
          else
            multiply(stored, to, r.classes, inverse.hi, inverse.lo, 0.0);
        });
  }

  static void logarithms(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    T* out = static_cast<T*>(r.out);
    DelayedResults<T, Logarithms<T>> results(r.classes);
    over_finite_rows(r, begin, end, memory, results,
                     [&](int64_t i, const T* x, LongRow<T>& passes, NextRow<T>& following) {
                       T* to = out + i * r.classes;
                       Prefetch<T> prefetch = prefetch_for(i, end, r.classes);
                       if (!is_nontemporal<T>(r)) prefetch.results = to;
                       results.compute_terms(passes, x, nullptr, prefetch, following);
                       passes.separate(x, nullptr, r.classes);
                       const Logarithms<T> make = {passes.largest, T(passes.log_sum)};
                       if (is_nontemporal<T>(r))
                         results.set(x, to, make);
                       else
                         over_vectors(x, r.classes, passes.largest,
                                      [&](Vector<T> v, int64_t j, int count) { store_some(to + j, make(v), count); });
                     });
  }

  static void log_partitions(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    T* out = static_cast<T*>(r.out);
    if (can_sum_by_chunks && r.classes > thresholds::long_row_classes) {
      const T* scores = static_cast<const T*>(r.scores);
      const auto next = [](int64_t i) { return i; };
      LongRow<T>::sum_by_chunks(scores, begin, end, r.classes, next, [&](int64_t i, const LongRow<T>* row) {
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
    DelayedResults<T, Logarithms<T>> none(r.classes);
    over_finite_rows(r, begin, end, memory, none,
                     [&](int64_t i, const T* x, LongRow<T>& passes, NextRow<T>& following) {
                       none.compute_terms(passes, x, nullptr, prefetch_for(i, end, r.classes), following);
                       passes.separate(x, nullptr, r.classes);
                       out[i] = T(double(passes.largest) + passes.log_sum);
                     });
  }

  // Calls `work` for the rows that these passes can compute. The others go to the general blocks, after pending results
  // have been written.
  template <class Results, class Work>
  static void over_finite_rows(const Evaluation& r, int64_t begin, int64_t end, double* memory, Results& results,
                               Work work) {
    over_rows(static_cast<const T*>(r.scores), begin, end, r.classes,
              [&](int64_t i, const T* x, T largest, NextRow<T>& following) {
                LongRow<T> passes(largest);
                if (passes.is_finite()) return work(i, x, passes, following);
                results.close();
                Blocks<T, Point>::evaluate(r, i, i + 1, memory);
              });
    results.close();
  }

  // Calls work(row, its scores, its maximum, the next row) for each row.
  template <class Work>
  static void over_rows(const T* scores, int64_t begin, int64_t end, int64_t classes, Work work) {
    NextRow<T> row{scores + begin * classes};
    row.find_largest(classes);
    for (int64_t i = begin; i < end; ++i) {
      NextRow<T> following{i + 1 < end ? row.x + classes : nullptr};
      work(i, row.x, row.largest, following);
      following.find_largest(classes);
      row = following;
    }
  }

  // The terms of a row are stored here while the previous row's results are written: two buffers in turn, each behind a
  // vector of padding. Buffers begin at a whole vector's address: unaligned stores take longer.
  static T* term_storage(double* memory, int64_t row, int64_t classes) {
    constexpr int n = Lanes<T>::count;
    const int64_t size = (classes / n + 2) * n;
    return reinterpret_cast<T*>(memory) + (row % 2) * size + n;
  }
  // Prefetches two rows ahead, so that none arrives late; one row if it is long.
  static Prefetch<T> prefetch_for(int64_t i, int64_t end, int64_t classes) {
    const bool is_long = classes > thresholds::long_row_classes;
    const int64_t rows = is_long ? 1 : 2;
    return {i + rows < end ? rows * classes : 0, nullptr, is_long};
  }
  // The loss of one row. Constructed before terms may overwrite the scores.
  struct RowLoss : LabelLoss<double> {
    double largest, label_part, uniform_part;
    RowLoss(const Loss& r, int64_t i, const T* x, T largest_score)
        : LabelLoss<double>(r, r.label_smoothing / double(r.classes), r.row_weight ? r.row_weight[i] : 1.0,
                            r.class_weight ? r.class_weight[r.labels[i]] : 1.0),
          largest(double(largest_score)),
          label_part(LabelLoss<double>::label_part(largest - double(x[r.labels[i]]))),
          uniform_part(uniform_share != 0.0 ? uniform_share * distance_to(x, r.classes, largest) : 0.0) {}
    double value(double log_sum) const {
      return LabelLoss<double>::value(total * log_sum, uniform_part, label_part, largest + log_sum);
    }
    double z_slope(double log_sum) const { return LabelLoss<double>::z_slope(largest + log_sum); }
  };
  static void loss_of_row(const Loss& r, int64_t i, int64_t end, const T* x, LongRow<T>& passes, double* memory,
                          DelayedResults<T, Gradients<T>>& results, NextRow<T>& following) {
    const int64_t classes = r.classes, label = r.labels[i];
    const RowLoss loss(r, i, x, passes.largest);
    T* to = r.gradient ? static_cast<T*>(r.gradient) + i * classes : nullptr;
    T* stored = is_nontemporal<T>(r) ? term_storage(memory, i, classes) : to;
    const Prefetch<T> prefetch = prefetch_for(i, end, classes);
    results.compute_terms(passes, x, stored, to && !is_nontemporal<T>(r) ? prefetch.in_place(to) : prefetch, following);
    passes.separate(x, stored, classes);
    r.losses[i] = loss.value(passes.log_sum);
    if (!to) return;
    const double scale = loss.weight * r.gradient_scale, z_slope = loss.z_slope(passes.log_sum);
    const double slope = scale * loss.slope_of_others(z_slope);
    const double label_term = double(stored[label]);
    const ScalarDoubleDouble others =
        label_term == passes.stored_max_term.hi ? passes.others : passes.total + ScalarDoubleDouble{-label_term, 0.0};
    const double label_entry =
        scale * loss.label_entry(label_term / passes.total.hi, others.value() / passes.total.hi, z_slope);
    const ScalarDoubleDouble inverse = passes.inverse();
    const ScalarDoubleDouble factor = {slope * inverse.hi,
                                       __builtin_fma(slope, inverse.hi, -(slope * inverse.hi)) + slope * inverse.lo};
    const auto products = Factor<T>::of(factor.hi, factor.lo);
    if (is_nontemporal<T>(r) && loss.uniform_share == 0.0 && !products.is_wide())
      return results.set(stored, to, {products, label, T(label_entry)});
    results.close();
    multiply(stored, to, classes, factor.hi, factor.lo, scale * loss.uniform_share);
    to[label] = T(label_entry);
  }

  // The part of label smoothing that depends on the scores: the sum of max - x.
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
