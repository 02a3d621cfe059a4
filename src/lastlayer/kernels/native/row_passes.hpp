// Softmax in its own precision of rows as they lie: the passes over one of them. Included by rows.hpp.

// The largest score of each lane, of at least one whole vector.
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
  // The last scores with some of those before them: a maximum may see one twice.
  m1 = larger(load(x + classes - n), m1);
  return larger(larger(m2, m3), larger(m0, m1));
}

// Calls then(vector, place) for whole vectors of a row, and once more for what is left, filled up with `filler`.
template <class T, class Then>
LASTLAYER_INLINE void over_vectors(const T* x, int64_t classes, T filler, Then then) {
  constexpr int n = Lanes<T>::count;
  int64_t j = 0;
  for (; j + n <= classes; j += n) then(load(x + j), j, n);
  if (j < classes) then(load_some(x + j, int(classes - j), filler), j, int(classes - j));
}

// What to fetch while a row is in work: the scores that stand so far ahead, and where the row's results will go if its weights
// do not go there.
template <class T>
struct Fetch {
  int64_t ahead = 0;
  const T* results = nullptr;
};

// Adds the weights of a row to a sum, and keeps them in `out` where it is given.
template <bool is_far, class T, class Sums>
LASTLAYER_INLINE void weigh_row(const T* x, T* out, int64_t classes, RowExponents<T, T> exponents, Fetch<T> fetch, Sums& sum) {
  // Of a long row the next one's results would wait in the cache in vain.
  const T* next_results = out ? out + (fetch.ahead < 2048 ? fetch.ahead : 2048) : nullptr;
  const T* results = fetch.results ? fetch.results : next_results;
  const auto pass = [&](auto keep, auto has_results) __attribute__((always_inline)) {
    // In registers: for all that the compiler knows, what is stored could change a sum that stands in memory.
    Sums here = sum;
    constexpr int n = Lanes<T>::count;
    int64_t done = 0;
    // Two vectors at a time, so that neither waits.
    const RowExponents<T, T> rows[2] = {exponents, exponents};
    for (; done + 2 * n <= classes; done += 2 * n) {
      const Vector<T> v[2] = {load(x + done), load(x + done + n)};
      Weights<T> w[2];
      weigh_vectors<is_far, 2>(v, rows, w);
      for (int i = 0; i < 2; ++i) {
        __builtin_prefetch(x + fetch.ahead + done + i * n);
        if constexpr (has_results.value) __builtin_prefetch(results + done + i * n, 1);
        if constexpr (keep.value) store<T>(out + done + i * n, w[i].hi);
        here.add(w[i].hi, w[i].lo);
      }
    }
    over_vectors(x + done, classes - done, -T(infinity), [&](Vector<T> v, int64_t at, int count) __attribute__((always_inline)) {
      const int64_t j = done + at;
      __builtin_prefetch(x + fetch.ahead + j);
      if constexpr (has_results.value) __builtin_prefetch(results + j, 1);
      const Weights<T> w = weights<is_far>(v, exponents);
      if constexpr (keep.value) store_some(out + j, w.hi, count);
      here.add(w.hi, w.lo);
    });
    sum = here;
  };
  if (out)
    pass(Constant<true>(), Constant<true>());
  else
    results ? pass(Constant<false>(), Constant<true>()) : pass(Constant<false>(), Constant<false>());
}
template <class T, class Sums>
LASTLAYER_INLINE void weigh_row(const T* x, T* out, int64_t classes, RowExponents<T, T> exponents, Fetch<T> fetch, Sums& sum) {
  // The sum's own order depends on the number of classes alone.
  exponents.offset != T(0) ? weigh_row<true>(x, out, classes, exponents, fetch, sum)
                           : weigh_row<false>(x, out, classes, exponents, fetch, sum);
}

// The weights of all classes but one of the largest, whose weight is `own`: of weights that were kept, or of the scores.
template <class T, class Weigh>
inline Pair sum_others(const T* from, int64_t classes, T own, T filler, Weigh weigh) {
  Sum<T> sum;
  int64_t count = 0;
  over_vectors(from, classes, filler, [&](Vector<T> v, int64_t, int) {
    const Weights<T> w = weigh(v);
    const auto is_own = w.hi == own;
    for (int i = 0; i < Lanes<T>::count; ++i) count -= is_own[i];
    sum.add(is_own ? Vector<T>{} : w.hi, is_own ? Vector<T>{} : w.lo);
  });
  return sum.total() + Pair{double(count - 1) * double(own), 0.0};
}
template <class T>
inline Pair sum_others(const T* x, const T* kept, int64_t classes, T own, const RowExponents<T, T>& exponents) {
  if (kept) return sum_others(kept, classes, own, T(0), [](Vector<T> w) { return Weights<T>{w, Vector<T>{}}; });
  return sum_others(x, classes, own, -T(infinity), [&](Vector<T> v) { return weights<true>(v, exponents); });
}

LASTLAYER_INLINE Vector<float> times_wide(Vector<float> w, double factor, double even) {
  return joined(narrowed(widened(low_half(w)) * factor - even), narrowed(widened(high_half(w)) * factor - even));
}
inline D times_wide(D w, double, double) { return w; }

template <class T>
LASTLAYER_INLINE Vector<T> times(Vector<T> w, T hi, T lo) {
#if defined(__FMA__)
  return fma(w, splat(hi), w * lo);
#else
  // Without fma the two products round twice; float32 has double to go through.
  if constexpr (sizeof(T) == 4) {
    return times_wide(w, double(hi) + double(lo), 0.0);
  } else {
    const Twofold p = product(w, splat(hi));
    return p.hi + (p.lo + w * lo);
  }
#endif
}

// Weights times a factor, minus an even share, to where they may stand already; the factor in two parts, for its rounding would
// add to the weight's.
template <class T>
inline void multiply(const T* from, T* to, int64_t classes, double factor, double factor_low, double even) {
  const T hi = T(factor), lo = T((factor - double(hi)) + factor_low);
  // In double where float32 has no digits for it: the difference, and a low part below the smallest float.
  const bool is_wide = sizeof(T) == 4 && (even != 0.0 || hi < T(0x1p-100));
  if (!is_wide && even == 0.0) {
    // Whole lines of the cache at a time: the order of these products shows nowhere.
    const int64_t bytes = int64_t((64 - (reinterpret_cast<uintptr_t>(to) & 63)) & 63);
    const int64_t ahead = bytes / int64_t(sizeof(T)) < classes ? bytes / int64_t(sizeof(T)) : classes;
    const auto multiply_some = [&](int64_t first, int64_t count) {
      over_vectors<T>(from + first, count, T(0),
                      [&](Vector<T> w, int64_t j, int some) { store_some(to + first + j, times(w, hi, lo), some); });
    };
    multiply_some(0, ahead);
    multiply_some(ahead, classes - ahead);
  } else
    over_vectors<T>(from, classes, T(0), [&](Vector<T> w, int64_t j, int count) {
      store_some(to + j, is_wide ? times_wide(w, factor, even) : times(w, hi, lo) - T(even), count);
    });
}
