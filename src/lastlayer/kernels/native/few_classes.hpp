// Few classes: a row in each lane of a vector, so that short rows fill it.
// Included by rows.hpp inside the namespace of one instruction set.

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
