// The row loops: maximum, weights and their sum, then what was asked for. A row is read from memory once; the later passes
// find it in cache. Compiled once per instruction set, into the namespace LASTLAYER_ISA.
#include <math.h>
#include <stdlib.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "kernels.hpp"

namespace lastlayer {
namespace LASTLAYER_ISA {
namespace {

#include "vectors.hpp"

constexpr double infinity = __builtin_huge_val();
constexpr double not_a_number = __builtin_nan("");

// A buffer that grows. Nothing of the standard library's templates may be compiled here: the linker keeps one copy of
// each, and it could be the one for another processor.
template <class T>
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { free(data_); }
  // Null where memory ran out.
  T* of(int64_t size) {
    if (size > size_) {
      free(data_);
      data_ = static_cast<T*>(malloc(size_t(size) * sizeof(T)));
      size_ = data_ ? size : 0;
    }
    return data_;
  }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
};

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

// ---- What was asked for. ------------------------------------------------------------------------------------------------

template <class T>
inline void fill(T* out, int64_t classes, double value) {
  for (int64_t j = 0; j < classes; ++j) out[j] = T(value);
}

template <class T>
void evaluate_rows(const T* scores, T* out, int64_t begin, int64_t end, int64_t classes, Quantity quantity,
                   Scratch<T>& scratch) {
  for (int64_t i = begin; i < end; ++i) {
    const Row<T> row(scores + i * classes, classes, scratch);
    if (quantity == Quantity::log_partition) {
      if (row.kind == Kind::ordinary)
        out[i] = T(double(row.largest) + log_total(shares<T, false>(row.x, nullptr, classes, row.largest)));
      else
        out[i] = T(row.kind == Kind::nan ? not_a_number : infinity);
      continue;
    }
    T* to = out + i * classes;
    if (row.kind == Kind::nan) {
      fill(to, classes, not_a_number);
    } else if (quantity == Quantity::probabilities) {
      const Shares s = shares<T, true>(row.x, to, classes, row.largest);
      multiply(to, classes, RowFactor<T>(divide({1.0, 0.0}, s.total)));
    } else {
      const Shares s = shares<T, false>(row.x, nullptr, classes, row.largest);
      subtract_maximum_and(row.x, to, classes, s.largest, log_total(s));
    }
  }
}

// Of one row: what multiplies -log p of each class. label: its own part; even: the share that smoothing spreads.
struct RowTargets {
  double label, even, total;
};

inline RowTargets targets_of(const LabelLoss& o, int64_t label, int64_t classes) {
  const double own = (o.class_weight ? o.class_weight[label] : 1.0) * (1.0 - o.label_smoothing);
  const double even = o.label_smoothing / double(classes);
  return {own, even, own + even * o.total_class_weight};
}

// The part of -sum of log p_c * weight_c * even that differs between classes, all terms >= 0.
template <class T>
inline double even_distance(const T* x, int64_t classes, const LabelLoss& o, double even, double largest) {
  double sum = 0.0;
  for (int64_t j = 0; j < classes; ++j) {
    const double weight = o.class_weight ? o.class_weight[j] : 1.0;
    if (weight != 0.0) sum += weight * (largest - double(x[j]));
  }
  return even * sum;
}

// A row's loss, and what its gradient needs beside the weights.
struct RowLoss {
  double loss;
  Pair factor;   // of every weight
  double even;   // what each class weight takes off
  double label;  // the label's own entry
};

// own_weight is the label's, in units of the top weight; distance is even_distance, where there is smoothing.
inline RowLoss finish(const LabelLoss& o, const RowTargets& t, int64_t i, const Shares& s, double own_score,
                      double own_weight, double distance, bool is_dominated, bool with_gradient) {
  const double log_sum = log_total(s), weight = o.row_weight ? o.row_weight[i] : 1.0;
  double loss = t.label != 0.0 ? t.label * ((s.largest - own_score) + log_sum) : 0.0;
  if (t.even != 0.0) loss += distance + t.even * o.total_class_weight * log_sum;
  double pull = 0.0;
  if (o.z_loss != 0.0) {
    const double z = is_dominated ? infinity : s.largest + log_sum;
    loss += o.z_loss * z * z;
    pull = 2.0 * o.z_loss * z;
  }
  RowLoss r{weight * loss, {0.0, 0.0}, 0.0, 0.0};
  if (!with_gradient) return r;
  const int64_t label = o.labels[i];
  const double scale = weight * o.gradient_scale / o.temperature;
  // The label's own entry is made of the other classes alone: p - 1 would round to zero before they do.
  const Pair rest = label == s.top ? s.others : add_pairs(s.total, {-own_weight, 0.0});
  const double own_target = t.label + t.even * (o.class_weight ? o.class_weight[label] : 1.0);
  const double p = own_weight / s.total.hi, others = divide(rest, s.total).hi;
  r.label = scale * ((t.total - own_target + pull) * p - own_target * others);
  r.factor = divide(two_product(scale, t.total + pull), s.total);
  r.even = scale * t.even;
  return r;
}

template <class T>
inline void subtract_even(T* gradient, int64_t classes, const LabelLoss& o, double even) {
  for (int64_t j = 0; j < classes; ++j)
    gradient[j] = T(double(gradient[j]) - even * (o.class_weight ? o.class_weight[j] : 1.0));
}

template <class T>
double row_label_loss(const T* scores, T* gradient, int64_t i, int64_t classes, const LabelLoss& o,
                      Scratch<T>& scratch) {
  const int64_t label = o.labels[i];
  const bool is_label = label >= 0 && label < classes;
  const Row<T> row(scores, classes, scratch);
  if (row.kind == Kind::nan || !is_label) {
    if (gradient) fill(gradient, classes, not_a_number);
    return not_a_number;
  }
  const RowTargets t = targets_of(o, label, classes);
  const double own_score = double(row.x[label]);
  // Reads the scores, which the weights may be about to overwrite.
  const double distance = t.even != 0.0 ? even_distance(row.x, classes, o, t.even, double(row.largest)) : 0.0;
  const Shares s = gradient ? shares<T, true>(row.x, gradient, classes, row.largest)
                            : shares<T, false>(row.x, nullptr, classes, row.largest);
  const double own_weight = gradient ? double(gradient[label]) * Lanes<T>::unlift : 0.0;
  const RowLoss r =
      finish(o, t, i, s, own_score, own_weight, distance, row.kind == Kind::dominated, gradient != nullptr);
  if (gradient) {
    multiply(gradient, classes, RowFactor<T>(r.factor));
    if (t.even != 0.0) subtract_even(gradient, classes, o, r.even);
    gradient[label] = T(r.label);
  }
  return r.loss;
}

// Scores divided by the temperature are no float32 numbers any more: such rows are computed in double.
template <class T>
double tempered_label_loss(const T* scores, T* gradient, int64_t i, int64_t classes, const LabelLoss& o,
                           Scratch<double>& row, Scratch<double>& scratch) {
  double* x = row.of(classes);
  if (!x) {
    if (gradient) fill(gradient, classes, not_a_number);
    return not_a_number;
  }
  for (int64_t j = 0; j < classes; ++j) x[j] = double(scores[j]) / o.temperature;
  const double loss = row_label_loss<double>(x, gradient ? x : nullptr, i, classes, o, scratch);
  if (gradient)
    for (int64_t j = 0; j < classes; ++j) gradient[j] = T(x[j]);
  return loss;
}

// One row, counted or not, at any temperature.
template <class T>
struct LossRows {
  Scratch<T> scratch;
  Scratch<double> row, wide;

  double operator()(const T* x, T* gradient, int64_t i, int64_t classes, const LabelLoss& o) {
    if (!is_counted(o, i)) {
      if (gradient) fill(gradient, classes, 0.0);
      return 0.0;
    }
    if (o.temperature == 1.0) return row_label_loss(x, gradient, i, classes, o, scratch);
    return tempered_label_loss(x, gradient, i, classes, o, row, wide);
  }
};

// ---- Few classes: a row in each lane. -----------------------------------------------------------------------------------

constexpr int64_t few = 64;

// As many rows as a vector has lanes, transposed: all first classes, then all second ones. Lanes beyond the rows hold zeros.
template <class T>
struct Tile {
  static constexpr int n = Lanes<T>::count;
  alignas(64) T scores[few * n];
  alignas(64) T weights[few * n];
  alignas(64) T largest[n];
  alignas(64) T is_finite[n];  // zero, or NaN where a score is infinite or NaN
  int32_t top[n];
  Pair others[n];

  void read(const T* x, int rows, int64_t classes) {
    if (rows == n) {
      for (int64_t j = 0; j < classes; ++j)
        for (int i = 0; i < n; ++i) scores[j * n + i] = x[i * classes + j];
      return;
    }
    for (int64_t j = 0; j < classes; ++j)
      for (int i = 0; i < n; ++i) scores[j * n + i] = i < rows ? x[i * classes + j] : T(0);
  }

  // Weights of all classes, and the sum of all but the first largest one.
  void weigh(int64_t classes) {
    using V = Vector<T>;
    using I = typename Lanes<T>::Integers;
    V m = load(scores), z = m * T(0);
    for (int64_t j = 1; j < classes; ++j) {
      const V x = load(scores + j * n);
      m = x > m ? x : m;
      z += x * T(0);
    }
    const ExponentialRow<T, V> row(m);
    Sum<T> sum;
    I is_before = I{} - 1, place = I{};
    const V nothing{};
    for (int64_t j = 0; j < classes; ++j) {
      const V x = load(scores + j * n);
      const Weights<T> w = exponential<T>(x, row);
      store<T>(weights + j * n, w.hi);
      const I is_top = (x == m) & is_before;
      is_before &= ~is_top;
      place -= is_before;
      sum.add(is_top ? nothing : w.hi, is_top ? nothing : w.lo);
    }
    store<T>(largest, m);
    store<T>(is_finite, z);
    for (int i = 0; i < n; ++i) {
      const Pair lane = sum.lane(i);
      others[i] = {lane.hi * Lanes<T>::unlift, lane.lo * Lanes<T>::unlift};
      top[i] = int32_t(place[i]);
    }
  }

  Shares lane(int i) const { return {double(largest[i]), top[i], others[i], add_pairs({1.0, 0.0}, others[i])}; }

  void multiply(int64_t classes, const T* hi, const T* lo) {
    const Vector<T> high = load(hi), low = load(lo);
    for (int64_t j = 0; j < classes; ++j) store<T>(weights + j * n, times<T>(load(weights + j * n), high, low));
  }

  // Only finite rows: the others were written on their own.
  void write(T* out, int rows, int64_t classes) const {
    for (int i = 0; i < rows; ++i)
      if (is_finite[i] == T(0))
        for (int64_t j = 0; j < classes; ++j) out[i * classes + j] = weights[j * n + i];
  }
};

template <class T>
void evaluate_tile(const T* x, T* out, int rows, int64_t classes, Quantity quantity, Tile<T>& tile, Scratch<T>& scratch) {
  constexpr int n = Lanes<T>::count;
  tile.read(x, rows, classes);
  tile.weigh(classes);
  const int64_t width = quantity == Quantity::log_partition ? 1 : classes;
  for (int i = 0; i < rows; ++i)
    if (!(tile.is_finite[i] == T(0)))
      evaluate_rows(x + i * classes, out + i * width, 0, 1, classes, quantity, scratch);
  if (quantity == Quantity::probabilities) {
    alignas(64) T hi[n], lo[n];
    for (int i = 0; i < n; ++i) {
      const Pair total = add_pairs({1.0, 0.0}, tile.others[i]);
      const RowFactor<T> factor(divide({1.0, 0.0}, total));
      hi[i] = factor.hi;
      lo[i] = factor.lo;
    }
    tile.multiply(classes, hi, lo);
    tile.write(out, rows, classes);
    return;
  }
  for (int i = 0; i < rows; ++i) {
    if (!(tile.is_finite[i] == T(0))) continue;
    const Shares s = tile.lane(i);
    const double log_sum = log_total(s);
    if (quantity == Quantity::log_partition)
      out[i] = T(s.largest + log_sum);
    else
      subtract_maximum_and(x + i * classes, out + i * classes, classes, s.largest, log_sum);
  }
}

template <class T>
void label_loss_tile(const T* x, T* gradient, double* losses, int64_t first, int rows, int64_t classes, const LabelLoss& o,
                     Tile<T>& tile, LossRows<T>& alone) {
  constexpr int n = Lanes<T>::count;
  tile.read(x, rows, classes);
  tile.weigh(classes);
  alignas(64) T hi[n] = {}, lo[n] = {}, own[n] = {};
  double even[n] = {};
  for (int i = 0; i < rows; ++i) {
    const int64_t at = first + i, label = o.labels[at];
    if (!(tile.is_finite[i] == T(0)) || !is_counted(o, at) || label < 0 || label >= classes) {
      tile.is_finite[i] = T(1);
      losses[at] = alone(x + i * classes, gradient ? gradient + i * classes : nullptr, at, classes, o);
      continue;
    }
    const RowTargets t = targets_of(o, label, classes);
    const Shares s = tile.lane(i);
    const double distance = t.even != 0.0 ? even_distance(x + i * classes, classes, o, t.even, s.largest) : 0.0;
    const double own_weight = double(tile.weights[label * n + i]) * Lanes<T>::unlift;
    const RowLoss r =
        finish(o, t, at, s, double(x[i * classes + label]), own_weight, distance, false, gradient != nullptr);
    losses[at] = r.loss;
    const RowFactor<T> factor(r.factor);
    hi[i] = factor.hi;
    lo[i] = factor.lo;
    own[i] = T(r.label);
    even[i] = r.even;
  }
  if (!gradient) return;
  tile.multiply(classes, hi, lo);
  tile.write(gradient, rows, classes);
  for (int i = 0; i < rows; ++i) {
    if (!(tile.is_finite[i] == T(0))) continue;
    T* row = gradient + i * classes;
    if (even[i] != 0.0) subtract_even(row, classes, o, even[i]);
    row[o.labels[first + i]] = own[i];
  }
}

// ---- Every row of a part. -----------------------------------------------------------------------------------------------

template <class T>
void evaluate(const T* scores, T* out, int64_t begin, int64_t end, int64_t classes, Quantity quantity) {
  Scratch<T> scratch;
  if (classes > few) return evaluate_rows(scores, out, begin, end, classes, quantity, scratch);
  Tile<T> tile;
  const int64_t width = quantity == Quantity::log_partition ? 1 : classes;
  for (int64_t i = begin; i < end; i += tile.n) {
    const int rows = int(end - i < tile.n ? end - i : tile.n);
    evaluate_tile(scores + i * classes, out + i * width, rows, classes, quantity, tile, scratch);
  }
}

template <class T>
void label_loss(const T* scores, T* gradient, double* losses, int64_t begin, int64_t end, int64_t classes,
                const LabelLoss& options) {
  LossRows<T> alone;
  if (classes > few || options.temperature != 1.0) {
    for (int64_t i = begin; i < end; ++i)
      losses[i] = alone(scores + i * classes, gradient ? gradient + i * classes : nullptr, i, classes, options);
    return;
  }
  Tile<T> tile;
  for (int64_t i = begin; i < end; i += tile.n) {
    const int rows = int(end - i < tile.n ? end - i : tile.n);
    label_loss_tile(scores + i * classes, gradient ? gradient + i * classes : nullptr, losses, i, rows, classes, options,
                    tile, alone);
  }
}

#include "algebraic.hpp"

}  // namespace

const InstructionSet kernels = {LASTLAYER_ISA_NAME,
                                {{evaluate<float>, label_loss<float>},
                                 {algebraic_evaluate<Ratio>, algebraic_label_loss<Ratio>},
                                 {algebraic_evaluate<Spherical>, algebraic_label_loss<Spherical>},
                                 {algebraic_evaluate<Stablemax>, algebraic_label_loss<Stablemax>},
                                 {algebraic_evaluate<Taylor>, algebraic_label_loss<Taylor>}},
                                {{evaluate<double>, label_loss<double>}}};

}  // namespace LASTLAYER_ISA
}  // namespace lastlayer
