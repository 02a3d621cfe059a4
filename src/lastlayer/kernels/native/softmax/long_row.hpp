// Softmax of rows with many classes: one at a time, which comes from memory in the first pass and is in cache after it.
#pragma once

#include <type_traits>

#include "../arithmetic/elementary.hpp"
#include "../simd/vectors.hpp"
#include "../thresholds.hpp"
#include "overlapped_pass.hpp"
#include "passes.hpp"
#include "terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// What is known of a row after its first two passes. Weights are in units of 2^(K - lift).
template <class T>
struct LongRow {
  using R = ExponentialConstants<T>;
  T largest;
  RowExponents<T, T> exponents;
  ScalarDoubleDouble stored_max_term{},
      max_term{};  // the weight of the largest score: as it stands among the weights, and to more than their precision
  ScalarDoubleDouble total{}, others{};  // of all classes, and of all but the largest
  double log_sum = 0.0;                  // log(total / top)

  explicit LongRow(T largest) : largest(largest), exponents(largest) {}
  static T largest_of(const T* x, int64_t classes) { return largest_lane<T>(largest_lanes(x, classes)); }

  // The largest score and `log_sum` of long rows, every part of one in units of its own largest score: calls done(row,
  // what is known of it) for each row that next(row) names, with null where it cannot be: with +inf, of -inf alone, or
  // of scores so large that their differences are taken first. While one part is weighed the largest score of the next
  // one is found, so that memory never stands still.
  template <class Next, class Done>
  static void sum_by_chunks(const T* scores, int64_t begin, int64_t end, int64_t classes, Next next, Done done) {
    const int64_t chunks = classes / thresholds::chunk_scores,
                  size = classes / chunks / thresholds::chunk_step * thresholds::chunk_step;
    const auto count_of = [&](int64_t chunk) { return chunk + 1 < chunks ? size : classes - chunk * size; };
    const auto first_of = [&](int64_t row) { return row < end ? largest_of(scores + row * classes, size) : T(0); };
    int64_t i = next(begin);
    T largest = first_of(i);
    while (i < end) {
      const int64_t next_row = next(i + 1);
      LongRow best(T(0));
      double rest = 0.0;  // of all other parts, in units of the best one's
      const T* best_scores = nullptr;
      int64_t best_count = 0;
      bool is_summed = true;
      for (int64_t p = 0; p < chunks; ++p) {
        const T* x = scores + i * classes + p * size;
        const int64_t count = count_of(p);
        // Of -inf alone, if not of NaN: any unit does.
        const bool is_empty = largest == -T(infinity);
        LongRow chunk(is_empty ? T(0) : largest);
        is_summed = chunk.is_finite() && chunk.exponents.offset == T(0);
        if (!is_summed) break;
        // Where nothing follows the part itself is looked at once more.
        const T* following = p + 1 < chunks ? x + size : next_row < end ? scores + next_row * classes : x;
        const double sum = chunk.sum_and_find_next_largest(x, count, size, following,
                                                           p + 1 < chunks ? count_of(p + 1) : size, largest);
        const double powers = double(chunk.exponents.power) - double(best.exponents.power);
        if (!is_empty && (!best_scores || chunk.largest > best.largest)) {
          rest = __builtin_scalbn(rest + best.total.hi, -int(powers));
          best = chunk;
          best.set_max_term();
          best.set({sum, 0.0});
          best_scores = x;
          best_count = count;
        } else {
          rest += __builtin_scalbn(sum, int(powers));
        }
      }
      is_summed = is_summed && best_scores;
      if (!is_summed) {
        largest = first_of(next_row);
      } else {
        if (best.others.hi + rest < R::confident(best_count, 0) * best.total.hi)
          best.others = sum_others<T>(best_scores, nullptr, best_count, T(best.stored_max_term.hi), best.exponents);
        best.log_sum = log1p((best.others.hi + rest) / best.max_term.hi);
      }
      done(i, is_summed ? &best : nullptr);
      i = next_row;
    }
  }

  // Neither is a row for these passes: one with +inf, and one of -inf alone (or of nothing but NaN).
  bool is_finite() const { return largest < T(infinity) && largest > -T(infinity); }

  // The weights into `out`, where it is given, and their sum. For probabilities the total is enough; the others, whose
  // digits matter to a logarithm, would have lost some in a long row.
  template <bool is_total_enough>
  void compute_terms(const T* x, T* out, int64_t classes, Prefetch<T> fetch) {
    add_segments<is_total_enough>(classes, [&](int64_t from, int64_t count, auto& sum) __attribute__((always_inline)) {
      add_terms_of_row(x + from, out ? out + from : nullptr, count, exponents, fetch.from(from), sum);
    });
  }
  // The same while more is done, for scores that are not far.
  template <bool is_total_enough, class Make>
  void compute_terms_overlapped(const T* x, T* out, int64_t classes, OverlappedPass<T, Make>& overlapped) {
    const auto compute_all = [&](auto keeps) __attribute__((always_inline)) {
      add_segments<is_total_enough>(
          classes, [&](int64_t from, int64_t count, auto& sum) __attribute__((always_inline)) {
            overlapped.template compute_terms<keeps.value>(x, out, from, from + count, exponents, sum);
          });
    };
    out ? compute_all(Constant<true>()) : compute_all(Constant<false>());
  }
  // One over the total.
  ScalarDoubleDouble inverse() const {
    const double hi = 1.0 / total.hi;
    if (sizeof(T) == 4) return {hi, 0.0};
    return {hi, (__builtin_fma(-hi, total.hi, 1.0) - hi * total.lo) * hi};
  }

  // The others where their digits are gone from the difference, and the logarithm. `kept_weights`, or null.
  void separate(const T* x, const T* term_storage, int64_t classes) {
    // Long rows are summed in double, others by parts, which do not lose in one direction.
    if (others.hi < R::confident(classes > thresholds::long_row_classes ? 0 : classes, 0) * total.hi) {
      others = sum_others(x, term_storage, classes, T(stored_max_term.hi), exponents);
      total = max_term + others;
    }
    log_sum = log1p(others.value() / max_term.hi);
  }

 private:
  // The sum of a part's weights, and the largest of the scores that follow: in one loop over the `size` that both have
  // at least.
  double sum_and_find_next_largest(const T* x, int64_t classes, int64_t size, const T* following,
                                   int64_t following_count, T& largest_following) const {
    constexpr int n = Lanes<T>::count, unroll = TermSum<T>::unroll, step = thresholds::float32_segment_vectors * n;
    RowExponents<T, T> rows[unroll];
    Vector<T> best[unroll];
    for (int i = 0; i < unroll; ++i) {
      rows[i] = exponents;
      best[i] = load(following + following_count - n);
    }
    auto lanes_sum = TermSum<T>().lanes_sum();
    for (int64_t from = 0; from < size; from += step) {
      TermSum<T> sum;
      const int64_t end = from + step < size ? from + step : size;
      for (int64_t j = from; j < end; j += unroll * n) {
        Vector<T> v[unroll];
        Terms<T> w[unroll];
        for (int i = 0; i < unroll; ++i) {
          v[i] = load(x + j + i * n);
          best[i] = larger(load(following + j + i * n), best[i]);
          prefetch_line<PrefetchKind::far>(following + j + i * n + thresholds::chunk_prefetch, nullptr);
        }
        term_vectors<false, unroll>(v, rows, w);
        for (int i = 0; i < unroll; ++i) sum.add(w[i]);
      }
      lanes_sum = lanes_sum + sum.lanes_sum();
    }
    for (int64_t from = size; from < classes; from += step) {
      TermSum<T> sum;
      const int64_t count = classes - from < step ? classes - from : step;
      add_terms_of_row<false>(x + from, static_cast<T*>(nullptr), count, exponents, Prefetch<T>{}, sum);
      lanes_sum = lanes_sum + sum.lanes_sum();
    }
    for (int i = 1; i < unroll; ++i) best[0] = larger(best[i], best[0]);
    if (following_count >= size + n) best[0] = larger(largest_lanes(following + size, following_count - size), best[0]);
    largest_following = largest_lane<T>(best[0]);
    return sum_of(lanes_sum).hi;
  }
  // Calls add(place, classes, sum) for each part of a row, and knows its sums then.
  template <bool is_total_enough, class Add>
  LASTLAYER_INLINE void add_segments(int64_t classes, Add add) {
    set_max_term();
    if (!is_total_enough && classes > thresholds::long_row_classes) return set(sum_of_segments(classes, add));
    auto lanes_sum = TermSum<T>().lanes_sum();
    over_segments(classes, [&](int64_t from, int64_t count) __attribute__((always_inline)) {
      TermSum<T> sum;
      add(from, count, sum);
      lanes_sum = lanes_sum + sum.lanes_sum();
    });
    set(sum_of(lanes_sum));
  }
  // Apart: a sum that parts add to cannot stay in registers.
  template <class Add>
  __attribute__((noinline)) static ScalarDoubleDouble sum_of_segments(int64_t classes, Add add) {
    std::conditional_t<sizeof(T) == 4, Sum<T>, TermSum<T>> sum;
    over_segments(classes, [&](int64_t from, int64_t count) __attribute__((always_inline)) { add(from, count, sum); });
    return sum.total();
  }
  template <class Work>
  static void over_segments(int64_t classes, Work work) {
    // What float32 sums lose grows with their length.
    constexpr int64_t chunk =
        (sizeof(T) == 4 ? thresholds::float32_segment_vectors : thresholds::float64_segment_vectors) * Lanes<T>::count;
    for (int64_t from = 0; from < classes; from += chunk) work(from, classes - from < chunk ? classes - from : chunk);
  }
  // Of the largest score alone; before the others, whose sum takes longer.
  void set_max_term() {
    const Terms<T> w = compute_term<true>(splat(largest), exponents);
    stored_max_term = {double(w.hi[0]), double(w.lo()[0])};
    // e^(x - K ln 2) of the score itself.
    const double rest = (double(largest) - double(exponents.offset)) - double(exponents.power) * 0.6931471805599453;
    if constexpr (sizeof(T) == 8)
      max_term = stored_max_term;
    else
      max_term = {exponential<R::lift>(Double(splat(rest))).hi[0], 0.0};
  }
  void set(ScalarDoubleDouble sum) {
    if constexpr (sizeof(T) == 8) {
      others = sum + ScalarDoubleDouble{-stored_max_term.hi, -stored_max_term.lo};
      total = sum;
    } else {
      // With the exact weight: the rounding of the largest would be in every other class's share.
      others = {sum.hi - stored_max_term.value(), 0.0};
      total = {max_term.hi + others.hi, 0.0};
    }
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
