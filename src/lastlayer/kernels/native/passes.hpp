// The passes over one row: its maximum, its weights and their sum, and what to do where scores are infinite or NaN.
// Included by rows.hpp inside the namespace of one instruction set.

// ---- Pass 1: the maximum, and whether a score is infinite or NaN. -------------------------------------------------------

template <class T>
struct Scan {
  T largest;
  bool is_finite;
};

template <class T>
inline Scan<T> scan(const T* x, int64_t classes) {
  constexpr int n = Lanes<T>::count;
  if (classes < n) {
    T largest = x[0], zero = x[0] * T(0);
    for (int64_t j = 1; j < classes; ++j) {
      largest = x[j] > largest ? x[j] : largest;
      zero += x[j] * T(0);
    }
    return {largest, zero == T(0)};
  }
  Vector<T> m0 = load(x), m1 = m0, z0 = m0 * T(0), z1 = z0;
  int64_t j = 0;
  for (; j + 2 * n <= classes; j += 2 * n) {
    const Vector<T> a = load(x + j), b = load(x + j + n);
    m0 = a > m0 ? a : m0;
    m1 = b > m1 ? b : m1;
    z0 += a * T(0);
    z1 += b * T(0);
  }
  if (j + n <= classes) {
    const Vector<T> a = load(x + j);
    m0 = a > m0 ? a : m0;
    z0 += a * T(0);
  }
  // The last scores once more: a maximum may count one twice.
  const Vector<T> a = load(x + classes - n);
  m0 = a > m0 ? a : m0;
  m0 = m1 > m0 ? m1 : m0;
  z0 += z1 + a * T(0);
  const T largest = fold<T>(m0, [](T one, T other) { return one > other ? one : other; });
  const T zero = fold<T>(z0, [](T one, T other) { return one + other; });
  return {largest, zero == T(0)};
}

template <class T>
inline int64_t first_equal(const T* x, int64_t classes, T value) {
  constexpr int n = Lanes<T>::count;
  int64_t j = 0;
  for (; j + 4 * n <= classes; j += 4 * n) {
    const auto equal = (load(x + j) == value) | (load(x + j + n) == value) | (load(x + j + 2 * n) == value) |
                       (load(x + j + 3 * n) == value);
    if (has_any(equal)) break;
  }
  while (j + n <= classes && !has_any(load(x + j) == value)) j += n;
  while (j < classes - 1 && x[j] != value) ++j;
  return j;
}

// ---- Pass 2: the weights e^(x - max), and the sum of all but the top one. ------------------------------------------------

// In units of the top weight: the top class itself weighs 1.
struct Shares {
  double largest;
  int64_t top;
  Pair others;  // the sum of the weights of all other classes: never through 1 + others, where small others are lost
  Pair total;   // 1 + others
};

template <class T, bool keep>
inline Pair sum_of_others(const T* x, T* weights, int64_t classes, int64_t top, const ExponentialRow<T, T>& row) {
  using V = Vector<T>;
  using I = typename Lanes<T>::Integers;
  using Number = decltype(I{}[0] + I{}[0]);
  constexpr int n = Lanes<T>::count;
  Sum<T> sum;
  const I numbers = lane_numbers<T>();
  // A vector of which only the lanes in [from, to) count, and the top class does not.
  const auto counted = [&](V scores, Number from, Number to, Number without) {
    const Weights<T> w = exponential<T>(scores, row);
    const I counts = (numbers >= from) & (numbers < to) & (numbers != without);
    sum.add(counts ? w.hi : V{}, counts ? w.lo : V{});
    return w.hi;
  };
  if (classes < n) {
    T padded[n];
    for (int i = 0; i < n; ++i) padded[i] = i < classes ? x[i] : row.offset + row.top;
    store<T>(padded, counted(load(padded), 0, Number(classes), Number(top)));
    if (keep)
      for (int i = 0; i < classes; ++i) weights[i] = padded[i];
  } else {
    // The last scores come with some of those before them, which count once; read before weights may overwrite them.
    const int64_t last = classes - n;
    const V tail = load(x + last);
    int64_t j = 0;
    const auto full = [&](int64_t stop) {
      for (; j + n <= stop; j += n) {
        const Weights<T> w = exponential<T>(load(x + j), row);
        if (keep) store<T>(weights + j, w.hi);
        sum.add(w.hi, w.lo);
      }
    };
    full(top / n * n);
    if (j + n <= classes) {
      const V w = counted(load(x + j), 0, n, Number(top - j));
      if (keep) store<T>(weights + j, w);
      j += n;
    }
    full(classes);
    if (j < classes) {
      const V w = counted(tail, Number(j - last), n, top >= last ? Number(top - last) : Number(-1));
      if (keep) store<T>(weights + last, w);
    }
  }
  const Pair total = sum.total();
  return {total.hi * Lanes<T>::unlift, total.lo * Lanes<T>::unlift};
}

template <class T, bool keep>
inline Shares shares(const T* x, T* weights, int64_t classes, T largest) {
  const int64_t top = first_equal(x, classes, largest);
  const Pair others = sum_of_others<T, keep>(x, weights, classes, top, ExponentialRow<T, T>(largest));
  return {double(largest), top, others, add_pairs({1.0, 0.0}, others)};
}

// log(total / top) = log1p(others / top).
inline double log_total(const Shares& s) { return ::log1p(s.others.hi) + s.others.lo / s.total.hi; }

// ---- Pass 3: weights times a factor of the row. -------------------------------------------------------------------------

// factor * 2^-lift as a pair of T, for the factor's rounding would add to the weight's.
template <class T>
struct RowFactor {
  T hi, lo;
  explicit RowFactor(Pair factor) {
    const Pair unlifted = {factor.hi * Lanes<T>::unlift, factor.lo * Lanes<T>::unlift};
    hi = T(unlifted.hi);
    lo = T((unlifted.hi - double(hi)) + unlifted.lo);
  }
};

template <class T>
inline Vector<T> times(Vector<T> w, Vector<T> hi, Vector<T> lo) {
#if defined(__FMA__)
  return w * hi + w * lo;
#else
  // Without fma the two products round twice; float32 has double to go through.
  if (sizeof(T) == 8) return w * hi + w * lo;
  for (int i = 0; i < Lanes<T>::count; ++i) w[i] = T(double(w[i]) * (double(hi[i]) + double(lo[i])));
  return w;
#endif
}

template <class T>
inline void multiply(T* weights, int64_t classes, RowFactor<T> factor) {
  constexpr int n = Lanes<T>::count;
  const Vector<T> hi = splat<T>(factor.hi), lo = splat<T>(factor.lo);
  if (classes < n) {
    T padded[n] = {};
    for (int64_t j = 0; j < classes; ++j) padded[j] = weights[j];
    store<T>(padded, times<T>(load(padded), hi, lo));
    for (int64_t j = 0; j < classes; ++j) weights[j] = padded[j];
    return;
  }
  const Vector<T> tail = times<T>(load(weights + classes - n), hi, lo);
  for (int64_t j = 0; j + n <= classes; j += n) store<T>(weights + j, times<T>(load(weights + j), hi, lo));
  store<T>(weights + classes - n, tail);
}

template <class T>
inline void subtract_maximum_and(const T* x, T* out, int64_t classes, double largest, double log_total) {
  // Both parts are <= 0, so nothing cancels; float32 scores subtract exactly in double.
  for (int64_t j = 0; j < classes; ++j) out[j] = T((double(x[j]) - largest) - log_total);
}

// ---- Rows with infinite or NaN scores. ----------------------------------------------------------------------------------

enum class Kind { ordinary, nan, dominated };

// What a row with a score that is not finite becomes: NaN throughout, or ordinary after infinite scores were put in
// place: where one is +inf they share equally and nothing is left for the others.
template <class T>
inline Kind kind_of(const T* x, int64_t classes) {
  bool nan = false, up = false, alive = false;
  for (int64_t j = 0; j < classes; ++j) {
    nan |= x[j] != x[j];
    up |= x[j] == T(infinity);
    alive |= x[j] != -T(infinity);
  }
  return nan || !alive ? Kind::nan : up ? Kind::dominated : Kind::ordinary;
}

// A row ready for the passes: finite maximum, no NaN, no +inf.
template <class T>
struct Row {
  const T* x;
  T largest;
  Kind kind;

  Row(const T* scores, int64_t classes, Scratch<T>& scratch) : x(scores), kind(Kind::ordinary) {
    const Scan<T> found = scan(scores, classes);
    largest = found.largest;
    if (found.is_finite) return;
    kind = kind_of(scores, classes);
    if (kind == Kind::dominated) {
      T* limit = scratch.of(classes);
      if (!limit) kind = Kind::nan;
      for (int64_t j = 0; limit && j < classes; ++j) limit[j] = scores[j] == T(infinity) ? T(0) : -T(infinity);
      x = limit;
    }
    if (kind == Kind::nan) return;
    largest = -T(infinity);
    for (int64_t j = 0; j < classes; ++j) largest = x[j] > largest ? x[j] : largest;
  }
};
