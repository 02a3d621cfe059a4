// Softmax of rows with many classes: the passes over one row, which comes from memory in the first and is in cache after it.
// Included by rows.hpp.

template <class T>
inline T largest_of(const T* x, int64_t classes) {
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
  m0 = larger(larger(m2, m3), larger(m0, m1));
  return fold(m0, [](Vector<T> a, Vector<T> b) { return larger(a, b); })[0];
}

// Calls then(vector, place) for whole vectors of a row, and once more for what is left, filled up with `filler`.
template <class T, class Then>
LASTLAYER_INLINE void over_vectors(const T* x, int64_t classes, T filler, Then then) {
  constexpr int n = Lanes<T>::count;
  int64_t j = 0;
  for (; j + n <= classes; j += n) then(load(x + j), j, n);
  if (j < classes) then(load_some(x + j, int(classes - j), filler), j, int(classes - j));
}

// What is known of a row of softmax after its first two passes. Weights are in units of 2^(K - lift).
template <class T>
struct LongRow {
  using R = Reduction<T>;
  T largest;
  RowExponents<T, T> exponents;
  Pair kept{}, top{};      // the weight of the largest score: as it stands among the weights, and to more than their precision
  Pair total{}, others{};  // of all classes, and of all but the largest
  double log_sum = 0.0;    // log(total / top)

  explicit LongRow(const T* x, int64_t classes) : largest(largest_of(x, classes)), exponents(largest) {}

  // Neither is a row for these passes: one with +inf, and one of -inf alone (or of nothing but NaN).
  bool is_finite() const { return largest < T(infinity) && largest > -T(infinity); }
  bool is_far() const { return exponents.offset != T(0); }
  // Once there is a total: NaN where a score is.
  bool is_nan() const { return !(total.hi == total.hi); }

  // The weights into `out`, where it is given, and their sum; fetches `next`, the next row, meanwhile.
  template <bool keep>
  void weigh(const T* x, T* out, int64_t classes, const T* next) {
    const Pair sum = is_far() ? sum_all<keep, true>(x, out, classes, next) : sum_all<keep, false>(x, out, classes, next);
    set_top();
    // With the exact weight: the rounding of the largest would be in every other class's share.
    others = sum + Pair{-kept.hi, -kept.lo};
    total = top + others;
  }

  // The others where their digits are gone from the difference, and the logarithm. `weights` as kept, or null.
  void separate(const T* x, const T* weights, int64_t classes) {
    if (others.hi < R::confident * total.hi) {
      others = weights              ? sum_others<true, false>(weights, classes)
               : is_far() ? sum_others<false, true>(x, classes)
                                    : sum_others<false, false>(x, classes);
      total = top + others;
    }
    log_sum = log1p(others.value() / top.hi);
  }

 private:
  void set_top() {
    const Vector<T> x = splat(largest);
    const Weights<T> w = is_far() ? weights<true>(x, exponents) : weights<false>(x, exponents);
    kept = {double(w.hi[0]), double(w.lo[0])};
    // e^(x - K ln 2) of the score itself.
    const double rest = (double(largest) - double(exponents.offset)) - double(exponents.power) * 0.6931471805599453;
    if constexpr (sizeof(T) == 8)
      top = kept;
    else
      top = {exponential<R::lift>(Real(all(rest))).hi[0], 0.0};
  }

  template <bool keep, bool is_far>
  Pair sum_all(const T* x, T* out, int64_t classes, const T* next) {
    Sum<T> sum;
    over_vectors(x, classes, -T(infinity), [&](Vector<T> v, int64_t j, int count) __attribute__((always_inline)) {
      __builtin_prefetch(next + j);
      const Weights<T> w = weights<is_far>(v, exponents);
      if (keep) store_some(out + j, w.hi, count);
      sum.add(w.hi, w.lo);
    });
    return sum.total();
  }

  // Of all but one of the largest.
  template <bool is_kept, bool is_far>
  Pair sum_others(const T* x, int64_t classes) const {
    const T own = T(kept.hi);
    Sum<T> sum;
    int64_t count = 0;
    over_vectors(x, classes, is_kept ? T(0) : -T(infinity), [&](Vector<T> v, int64_t, int) {
      Weights<T> w = {v, Vector<T>{}};
      if constexpr (!is_kept) w = weights<is_far>(v, exponents);
      const auto is_own = w.hi == own;
      for (int i = 0; i < Lanes<T>::count; ++i) count -= is_own[i];
      sum.add(is_own ? Vector<T>{} : w.hi, is_own ? Vector<T>{} : w.lo);
    });
    return sum.total() + Pair{double(count - 1) * double(own), 0.0};
  }
};

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

// Weights times a factor, minus an even share; the factor in two parts, for its rounding would add to the weight's.
template <class T>
inline void multiply(T* out, int64_t classes, double factor, double factor_low, double even) {
  const T hi = T(factor), lo = T((factor - double(hi)) + factor_low);
  // In double where float32 has no digits for it: the difference, and a low part below the smallest float.
  const bool is_wide = sizeof(T) == 4 && (even != 0.0 || hi < T(0x1p-100));
  over_vectors<T>(out, classes, T(0), [&](Vector<T> w, int64_t j, int count) {
    store_some(out + j, is_wide ? times_wide(w, factor, even) : times(w, hi, lo) - T(even), count);
  });
}
