// The passes of softmax over one row along the lanes.
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../simd/nontemporal.hpp"
#include "../simd/permutations.hpp"
#include "../simd/vectors.hpp"
#include "../thresholds.hpp"
#include "term_sums.hpp"
#include "terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Keeps a loaded vector in a register: the compiler would load it again for each use, and an unaligned load touches two
// cache lines.
template <class V>
LASTLAYER_INLINE void in_register(V& v) {
#if defined(__FMA__)
  asm("" : "+v"(v));
#endif
}

// The maximum of each lane, over at least one whole vector.
template <class T>
inline Vector<T> largest_lanes(const T* x, int64_t classes) {
  constexpr int n = Lanes<T>::count;
  Vector<T> m0 = load(x), m1 = m0, m2 = m0, m3 = m0;
  int64_t j = 0;
  for (; j + 4 * n <= classes; j += 4 * n) {
    m0 = larger(load(x + j), m0);
    m1 = larger(load(x + j + n), m1);
    m2 = larger(load(x + j + 2 * n), m2);
    m3 = larger(load(x + j + 3 * n), m3);
  }
  for (; j + n <= classes; j += n) m0 = larger(load(x + j), m0);
  // The last vector overlaps the one before: a maximum may see a score twice.
  m1 = larger(load(x + classes - n), m1);
  return larger(larger(m2, m3), larger(m0, m1));
}

template <class T>
inline T largest_lane(Vector<T> lanes) {
  return fold(lanes, [](Vector<T> a, Vector<T> b) { return larger(a, b); })[0];
}

// Calls then(vector, place, count) for each whole vector of a row, and once for the rest, padded with `filler`.
template <class T, class Then>
LASTLAYER_INLINE void over_vectors(const T* x, int64_t classes, T filler, Then then) {
  constexpr int n = Lanes<T>::count;
  int64_t j = 0;
  for (; j + n <= classes; j += n) then(load(x + j), j, n);
  if (j < classes) then(load_some(x + j, int(classes - j), filler), j, int(classes - j));
}

// What to prefetch while a row is computed: the scores `ahead`, and the memory of its results unless their stores are
// non-temporal. Scores far ahead do not fit into the level-1 cache.
template <class T>
struct Prefetch {
  int64_t ahead = 0;
  const T* results = nullptr;
  bool is_far_ahead = false;

  // Terms are stored where the results go. The memory of a long row's next results would be evicted again, so less is
  // prefetched.
  Prefetch in_place(const T* to) const {
    return {ahead, to + (ahead < thresholds::in_place_prefetch ? ahead : thresholds::in_place_prefetch), is_far_ahead};
  }
  Prefetch from(int64_t place) const { return {ahead, results ? results + place : nullptr, is_far_ahead}; }
};
enum class PrefetchKind { near, far, near_and_results };

template <PrefetchKind what>
LASTLAYER_INLINE void prefetch_line(const void* scores, const void* results) {
  __builtin_prefetch(scores, 0, what == PrefetchKind::far ? 2 : 3);
  if constexpr (what == PrefetchKind::near_and_results) __builtin_prefetch(results, 1);
}

// Calls `pass` with the kind of prefetch as a constant.
template <class T, class Pass>
LASTLAYER_INLINE void with_prefetch_kind(Prefetch<T> prefetch, Pass pass) {
  if (prefetch.results) return pass(Constant<PrefetchKind::near_and_results>());
  prefetch.is_far_ahead ? pass(Constant<PrefetchKind::far>()) : pass(Constant<PrefetchKind::near>());
}

// Adds a row's terms to a sum, and stores them in `out` if it is not null.
template <bool is_far, class T, class Sums>
LASTLAYER_INLINE void add_terms_of_row(const T* x, T* out, int64_t classes, RowExponents<T, T> exponents,
                                       Prefetch<T> prefetch, Sums& sum) {
  const T* results = prefetch.results;
  const auto pass = [&](auto keep, auto what) __attribute__((always_inline)) {
    // In registers: the compiler must assume that a store changes a sum in memory.
    Sums here = sum;
    constexpr int n = Lanes<T>::count;
    int64_t done = 0;
    // Several vectors at a time, so that their operations overlap.
    constexpr int count = Sums::unroll;
    RowExponents<T, T> rows[count];
    for (int i = 0; i < count; ++i) rows[i] = exponents;
    for (; done + count * n <= classes; done += count * n) {
      Vector<T> v[count];
      Terms<T> w[count];
      for (int i = 0; i < count; ++i) v[i] = load(x + done + i * n);
      term_vectors<is_far, count>(v, rows, w);
      for (int i = 0; i < count; ++i) {
        prefetch_line<what.value>(x + prefetch.ahead + done + i * n, results + done + i * n);
        if constexpr (keep.value) store<T>(out + done + i * n, w[i].hi);
        here.add(w[i]);
      }
    }
    over_vectors(x + done, classes - done, -T(infinity),
                 [&](Vector<T> v, int64_t at, int count) __attribute__((always_inline)) {
                   const int64_t j = done + at;
                   prefetch_line<what.value>(x + prefetch.ahead + j, results + j);
                   const Terms<T> w = compute_term<is_far>(v, exponents);
                   if constexpr (keep.value) store_some(out + j, w.hi, count);
                   here.add(w);
                 });
    sum = here;
  };
  with_prefetch_kind(prefetch, [&](auto what) __attribute__((always_inline)) {
    out ? pass(Constant<true>(), what) : pass(Constant<false>(), what);
  });
}
template <class T, class Sums>
LASTLAYER_INLINE void add_terms_of_row(const T* x, T* out, int64_t classes, RowExponents<T, T> exponents,
                                       Prefetch<T> prefetch, Sums& sum) {
  // The order of the sum depends on the number of classes alone.
  exponents.offset != T(0) ? add_terms_of_row<true>(x, out, classes, exponents, prefetch, sum)
                           : add_terms_of_row<false>(x, out, classes, exponents, prefetch, sum);
}

// The sum of all terms but the largest, `max_term`, from stored terms or from the scores. Only for rows in which the
// others are less than half of the total: none of them equals the largest.
template <class T, class Weigh>
inline ScalarDoubleDouble sum_others(const T* from, int64_t classes, T max_term, T filler, Weigh terms_from) {
  constexpr int n = Lanes<T>::count, unroll = 4;
  Sum<T> sum;
  const auto add = [&](const Terms<T>& w) __attribute__((always_inline)) { sum.add(w.but(w.hi == max_term)); };
  int64_t j = 0;
  for (; j + unroll * n <= classes; j += unroll * n) {
    Vector<T> v[unroll];
    Terms<T> w[unroll];
    for (int i = 0; i < unroll; ++i) v[i] = load(from + j + i * n);
    terms_from(Constant<unroll>(), v, w);
    for (int i = 0; i < unroll; ++i) add(w[i]);
  }
  over_vectors(from + j, classes - j, filler, [&](Vector<T> v, int64_t, int) __attribute__((always_inline)) {
    Terms<T> w;
    terms_from(Constant<1>(), &v, &w);
    add(w);
  });
  return sum.total();
}
template <class T>
inline ScalarDoubleDouble sum_others(const T* x, const T* stored, int64_t classes, T max_term,
                                     const RowExponents<T, T>& exponents) {
  if (stored)
    return sum_others(stored, classes, max_term, T(0), [](auto count, const Vector<T>* w, Terms<T>* out) {
      for (int i = 0; i < count.value; ++i) out[i] = Terms<T>::stored(w[i]);
    });
  return sum_others(x, classes, max_term, -T(infinity), [&](auto count, const Vector<T>* v, Terms<T>* out) {
    RowExponents<T, T> of_each[count.value];
    for (int i = 0; i < count.value; ++i) of_each[i] = exponents;
    term_vectors<true, count.value>(v, of_each, out);
  });
}

LASTLAYER_INLINE Vector<float> times_wide(Vector<float> w, double factor, double uniform_share) {
  return joined(narrowed(widened(low_half(w)) * factor - uniform_share),
                narrowed(widened(high_half(w)) * factor - uniform_share));
}
inline D times_wide(D w, double, double) { return w; }

template <class T>
LASTLAYER_INLINE Vector<T> times(Vector<T> w, T hi, T lo) {
#if defined(__FMA__)
  in_register(w);
  return fma(w, splat(hi), w * lo);
#else
  // Without fma the two products round twice; float32 goes through double.
  if constexpr (sizeof(T) == 4) {
    return times_wide(w, double(hi) + double(lo), 0.0);
  } else {
    const DoubleDouble p = product(w, splat(hi));
    return p.hi + (p.lo + w * lo);
  }
#endif
}

// A factor of terms in two parts: the rounding error of one alone would add to the term's.
template <class T>
struct Factor {
  static constexpr bool has_label_entry = false;
  T hi, lo;
  static Factor of(double factor, double low) {
    const T hi = T(factor);
    return {hi, T((factor - double(hi)) + low)};
  }
  // Below float32's smallest normal number the low part has no digits.
  bool is_wide() const { return sizeof(T) == 4 && hi < T(0x1p-100); }
  LASTLAYER_INLINE Vector<T> operator()(Vector<T> w, int64_t = 0) const { return times(w, hi, lo); }
};

// Gradients: terms times a factor, except the label's entry.
template <class T>
using Gradients = WithLabelEntry<T, Factor<T>>;

// (x - max) - log(total / max_term): both parts are <= 0, so nothing cancels.
template <class T>
struct Logarithms {
  static constexpr bool has_label_entry = false;
  T largest, log_sum;
  LASTLAYER_INLINE Vector<T> operator()(Vector<T> v, int64_t = 0) const {
    return (v - splat(largest)) - splat(log_sum);
  }
};

// Terms times a factor, minus a uniform share; `to` may be `from`.
template <class T>
inline void multiply(const T* from, T* to, int64_t classes, double factor, double factor_low, double uniform_share) {
  const auto of = Factor<T>::of(factor, factor_low);
  // In double, if float32 has too few digits for the difference.
  const bool is_wide = of.is_wide() || (sizeof(T) == 4 && uniform_share != 0.0);
  if (!is_wide && uniform_share == 0.0) {
    // Whole cache lines at a time. The order of these products cannot show in a result.
    const int64_t bytes = int64_t((64 - (reinterpret_cast<uintptr_t>(to) & 63)) & 63);
    const int64_t ahead = bytes / int64_t(sizeof(T)) < classes ? bytes / int64_t(sizeof(T)) : classes;
    const auto multiply_some = [&](int64_t first, int64_t count) {
      over_vectors<T>(from + first, count, T(0),
                      [&](Vector<T> w, int64_t j, int some) { store_some(to + first + j, of(w), some); });
    };
    multiply_some(0, ahead);
    multiply_some(ahead, classes - ahead);
  } else
    over_vectors<T>(from, classes, T(0), [&](Vector<T> w, int64_t j, int count) {
      store_some(to + j, is_wide ? times_wide(w, factor, uniform_share) : of(w) - T(uniform_share), count);
    });
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
