// Softmax of one long row, which comes from memory in the first pass and is in cache after it.
#pragma once

#include <type_traits>

#include "../arithmetic/elementary.hpp"
#include "../simd/vectors.hpp"
#include "../thresholds.hpp"
#include "overlapped_pass.hpp"
#include "passes.hpp"
#include "term_sums.hpp"
#include "terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// What is known of a row after two passes. Terms are in units of 2^(K - lift).
template <class T>
struct LongRow {
  using R = ExponentialConstants<T>;
  T largest;
  RowExponents<T, T> exponents;
  ScalarDoubleDouble stored_max_term{}, max_term{};  // the largest term: as it is stored, and more precisely
  ScalarDoubleDouble total{}, others{};              // the sum of all terms, and of all but the largest
  double log_sum = 0.0;                              // log(total / max_term)

  explicit LongRow(T largest) : largest(largest), exponents(largest) {}
  static T largest_of(const T* x, int64_t classes) { return largest_lane<T>(largest_lanes(x, classes)); }

  // The maximum and `log_sum` of long rows, in chunks, each in units of its own maximum. Calls done(row, result) for
  // each row that next(row) yields; the result is null for rows with +inf, of -inf alone, or with scores so large that
  // x - max must come first. While the terms of one chunk are summed the maximum of the next chunk is found, so that
  // memory never idles.
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
      ChunkSum sum;
      bool is_summed = true;
      for (int64_t p = 0; p < chunks; ++p) {
        const T* x = scores + i * classes + p * size;
        const int64_t count = count_of(p);
        // All scores are -inf (or NaN): any unit will do.
        const bool is_empty = largest == -T(infinity);
        LongRow chunk(is_empty ? T(0) : largest);
        is_summed = chunk.is_finite() && chunk.exponents.offset == T(0);
        if (!is_summed) break;
        // After the last chunk it reads this chunk again.
        const T* following = p + 1 < chunks ? x + size : next_row < end ? scores + next_row * classes : x;
        const int64_t following_count = p + 1 < chunks ? count_of(p + 1) : size;
        sum.add(chunk, is_empty, x, count,
                chunk.sum_and_find_next_largest(x, count, size, following, following_count, largest));
      }
      is_summed = is_summed && sum.scores;
      if (is_summed)
        sum.finish();
      else
        largest = first_of(next_row);
      done(i, is_summed ? &sum.best : nullptr);
      i = next_row;
    }
  }

  // These passes cannot compute rows with +inf, or of nothing but -inf (or NaN).
  bool is_finite() const { return largest < T(infinity) && largest > -T(infinity); }

  // Computes the terms, into `out` if it is not null, and their sum. Probabilities need only the total; logarithms need
  // the digits of the others, which a long row's total would have lost.
  template <bool is_total_enough>
  void compute_terms(const T* x, T* out, int64_t classes, Prefetch<T> prefetch) {
    add_segments<is_total_enough>(classes, [&](int64_t from, int64_t count, auto& sum) __attribute__((always_inline)) {
      add_terms_of_row(x + from, out ? out + from : nullptr, count, exponents, prefetch.from(from), sum);
    });
  }
  // The same, overlapped with other rows' work, for scores of moderate size.
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
  // 1 / total.
  ScalarDoubleDouble inverse() const {
    const double hi = 1.0 / total.hi;
    if (sizeof(T) == 4) return {hi, 0.0};
    return {hi, (__builtin_fma(-hi, total.hi, 1.0) - hi * total.lo) * hi};
  }

  // Recomputes the sum of the others if the difference to the total has lost its digits, then takes the logarithm.
  // `stored_terms` may be null.
  void separate(const T* x, const T* stored_terms, int64_t classes) {
    // Long rows are summed in double, others in segments, which do not lose digits in one direction.
    if (others.hi < R::confident(classes > thresholds::long_row_classes ? 0 : classes, 0) * total.hi) {
      others = sum_others(x, stored_terms, classes, T(stored_max_term.hi), exponents);
      total = max_term + others;
    }
    log_sum = log1p(others.value() / max_term.hi);
  }

 private:
  // The chunks of one row so far, in units of the best one: the one with the row's maximum.
  struct ChunkSum {
    LongRow best{T(0)};
    const T* scores = nullptr;  // of the best chunk
    int64_t count = 0;
    double others = 0.0;  // the sum of all other chunks

    void add(const LongRow& chunk, bool is_empty, const T* x, int64_t chunk_count, double sum) {
      const double powers = double(chunk.exponents.power) - double(best.exponents.power);
      if (!is_empty && (!scores || chunk.largest > best.largest)) {
        others = __builtin_scalbn(others + best.total.hi, -int(powers));
        best = chunk;
        best.set_max_term();
        best.set({sum, 0.0});
        scores = x;
        count = chunk_count;
      } else {
        others += __builtin_scalbn(sum, int(powers));
      }
    }
    void finish() {
      if (best.others.hi + others < R::confident(count, 0) * best.total.hi)
        best.others = sum_others<T>(scores, nullptr, count, T(best.stored_max_term.hi), best.exponents);
      best.log_sum = log1p((best.others.hi + others) / best.max_term.hi);
    }
  };

  // The sum of a chunk's terms, and the maximum of the scores that follow: in one loop over the `size` scores that both
  // have at least.
  double sum_and_find_next_largest(const T* x, int64_t classes, int64_t size, const T* following,
                                   int64_t following_count, T& largest_following) const {
    constexpr int n = Lanes<T>::count, unroll = TermSum<T>::unroll, step = thresholds::float32_segment_vectors * n;
    RowExponents<T, T> rows[unroll];
    Vector<T> best[unroll];
    for (int i = 0; i < unroll; ++i) {
      rows[i] = exponents;
      best[i] = load(following + following_count - n);
    }
    auto lane_sums = TermSum<T>().lane_sums();
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
      lane_sums = lane_sums + sum.lane_sums();
    }
    for (int64_t from = size; from < classes; from += step) {
      TermSum<T> sum;
      const int64_t count = classes - from < step ? classes - from : step;
      add_terms_of_row<false>(x + from, static_cast<T*>(nullptr), count, exponents, Prefetch<T>{}, sum);
      lane_sums = lane_sums + sum.lane_sums();
    }
    for (int i = 1; i < unroll; ++i) best[0] = larger(best[i], best[0]);
    if (following_count >= size + n) best[0] = larger(largest_lanes(following + size, following_count - size), best[0]);
    largest_following = largest_lane<T>(best[0]);
    return sum_of(lane_sums).hi;
  }
  // Calls add(place, classes, sum) for each segment of a row, then sets the sums.
  template <bool is_total_enough, class Add>
  LASTLAYER_INLINE void add_segments(int64_t classes, Add add) {
    set_max_term();
    if (!is_total_enough && classes > thresholds::long_row_classes) return set(sum_of_segments(classes, add));
    auto lane_sums = TermSum<T>().lane_sums();
    over_segments(classes, [&](int64_t from, int64_t count) __attribute__((always_inline)) {
      TermSum<T> sum;
      add(from, count, sum);
      lane_sums = lane_sums + sum.lane_sums();
    });
    set(sum_of(lane_sums));
  }
  // A separate function: a sum that all segments add to cannot stay in registers.
  template <class Add>
  __attribute__((noinline)) static ScalarDoubleDouble sum_of_segments(int64_t classes, Add add) {
    std::conditional_t<sizeof(T) == 4, Sum<T>, TermSum<T>> sum;
    over_segments(classes, [&](int64_t from, int64_t count) __attribute__((always_inline)) { add(from, count, sum); });
    return sum.total();
  }
  template <class Work>
  static void over_segments(int64_t classes, Work work) {
    // The rounding error of a float32 sum grows with its length.
    constexpr int64_t chunk =
        (sizeof(T) == 4 ? thresholds::float32_segment_vectors : thresholds::float64_segment_vectors) * Lanes<T>::count;
    for (int64_t from = 0; from < classes; from += chunk) work(from, classes - from < chunk ? classes - from : chunk);
  }
  // The term of the largest score; before the sum, which takes longer.
  void set_max_term() {
    const Terms<T> w = compute_term<true>(splat(largest), exponents);
    stored_max_term = {double(w.hi[0]), double(w.lo()[0])};
    // e^(x - K ln 2) of the score itself.
    const double r = (double(largest) - double(exponents.offset)) - double(exponents.power) * 0.6931471805599453;
    if constexpr (sizeof(T) == 8)
      max_term = stored_max_term;
    else
      max_term = {exponential<R::lift>(Double(splat(r))).hi[0], 0.0};
  }
  void set(ScalarDoubleDouble sum) {
    if constexpr (sizeof(T) == 8) {
      others = sum + ScalarDoubleDouble{-stored_max_term.hi, -stored_max_term.lo};
      total = sum;
    } else {
      // With the exact term: the rounding error of the stored one would show in every other class's probability.
      others = {sum.hi - stored_max_term.value(), 0.0};
      total = {max_term.hi + others.hi, 0.0};
    }
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
