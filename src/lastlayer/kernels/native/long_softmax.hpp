// Softmax of rows with many classes: what was asked of each row, by the passes of long_rows.hpp. What they are not made for
// goes to the blocks that every mapping has. Included by rows.hpp.

// A row in its elements, or widened to float where those are half types.
template <class E>
struct LongElements {
  using T = E;
  static const T* read(const E* row, T*, int64_t) { return row; }
  static T* target(E* row, T*) { return row; }
  static void write(E*, const T*, int64_t) {}
};
template <class E>
struct LongHalves {
  using T = float;
  static const T* read(const E* row, T* buffer, int64_t classes) {
    for (int64_t j = 0; j < classes; ++j) buffer[j] = T(widen(row[j]));
    return buffer;
  }
  static T* target(E*, T* buffer) { return buffer; }
  static void write(E* to, const T* buffer, int64_t classes) {
    for (int64_t j = 0; j < classes; ++j) round_to(to[j], double(buffer[j]));
  }
};
template <>
struct LongElements<Half> : LongHalves<Half> {};
template <>
struct LongElements<Brain> : LongHalves<Brain> {};

template <class E, class Rows>
struct LongSoftmax {
  using Elements = LongElements<E>;
  using T = typename Elements::T;

  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const E* scores = static_cast<const E*>(r.scores);
    E* out = static_cast<E*>(r.out);
    for (int64_t i = begin; i < end; ++i) {
      const E* row = scores + i * r.classes;
      const T* x = Elements::read(row, reinterpret_cast<T*>(memory), r.classes);
      const T* next = next_row(row, i + 1 < end, r.classes, x);
      LongRow<T> passes(x, r.classes);
      if (!passes.is_finite()) {
        Blocks<E, Rows>::evaluate(r, i, i + 1, memory);
        continue;
      }
      if (r.quantity == Quantity::log_partition) {
        passes.template weigh<false>(x, nullptr, r.classes, next);
        passes.separate(x, nullptr, r.classes);
        round_to(out[i], double(passes.largest) + passes.log_sum);
        continue;
      }
      T* to = Elements::target(out + i * r.classes, reinterpret_cast<T*>(memory));
      if (r.quantity == Quantity::probabilities) {
        passes.template weigh<true>(x, to, r.classes, next);
        const Pair inverse = divide({1.0, 0.0}, passes.total);
        multiply(to, r.classes, inverse.hi, inverse.lo, 0.0);
      } else {
        passes.template weigh<false>(x, nullptr, r.classes, next);
        passes.separate(x, nullptr, r.classes);
        logarithms(x, to, r.classes, passes);
      }
      Elements::write(out + i * r.classes, to, r.classes);
    }
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t label = r.labels[i];
      if (!r.is_counted(i) || label < 0 || label >= r.classes || !loss_of_row(r, i, label, i + 1 < end, memory))
        Blocks<E, Rows>::loss(r, i, i + 1, memory);
    }
  }

 private:
  // Where the next row begins, to be fetched ahead; this one where there is none.
  static const T* next_row(const E* row, bool has_next, int64_t classes, const T* x) {
    return sizeof(E) == sizeof(T) && has_next ? reinterpret_cast<const T*>(row + classes) : x;
  }

  static Pair divide(Pair a, Pair b) {
    const double hi = a.hi / b.hi;
    return {hi, (__builtin_fma(-hi, b.hi, a.hi) + a.lo - hi * b.lo) / b.hi};
  }

  // (x - max) - log(total / top): both parts are <= 0, so nothing cancels.
  static void logarithms(const T* x, T* out, int64_t classes, const LongRow<T>& row) {
    const Vector<T> largest = splat(row.largest), log_sum = splat(T(row.log_sum));
    over_vectors(x, classes, row.largest,
                 [&](Vector<T> v, int64_t j, int count) { store_some(out + j, (v - largest) - log_sum, count); });
  }

  // False where the row is none for these passes; then nothing was written.
  static bool loss_of_row(const Loss& r, int64_t i, int64_t label, bool has_next, double* memory) {
    const int64_t classes = r.classes;
    const E* row = static_cast<const E*>(r.scores) + i * classes;
    T* buffer = reinterpret_cast<T*>(memory);
    const T* x = Elements::read(row, buffer, classes);
    const T* next = next_row(row, has_next, classes, x);
    LongRow<T> passes(x, classes);
    if (!passes.is_finite()) return false;
    const double smoothing = r.label_smoothing, even = smoothing / double(classes);
    const double own_target = (r.class_weight ? r.class_weight[label] : 1.0) * (1.0 - smoothing) + even;
    const double weight = r.row_weight ? r.row_weight[i] : 1.0, own_score = double(x[label]), largest = double(passes.largest);
    // Before the weights may overwrite the scores.
    const double distance = even != 0.0 ? even * distance_to(x, classes, largest) : 0.0;
    E* gradient = r.gradient ? static_cast<E*>(r.gradient) + i * classes : nullptr;
    T* to = gradient ? Elements::target(gradient, buffer) : nullptr;
    gradient ? passes.template weigh<true>(x, to, classes, next) : passes.template weigh<false>(x, nullptr, classes, next);
    passes.separate(x, to, classes);
    const double log_sum = passes.log_sum, total = own_target - even + (even != 0.0 ? smoothing : 0.0);
    double loss = total * log_sum + distance, pull = 0.0;
    if (own_target != even) loss += (own_target - even) * (largest - own_score);
    if (r.z_loss != 0.0) {
      const double z = largest + log_sum;
      loss += r.z_loss * z * z;
      pull = 2.0 * r.z_loss * z;
    }
    r.losses[i] = weight * loss;
    if (!gradient) return true;
    const double scale = weight * r.gradient_scale, all = scale * (total + pull);
    const double own_weight = double(to[label]);
    // The label's own entry is made of the other classes alone: p - 1 would round to zero before they do.
    const Pair rest = own_weight == passes.kept.hi ? passes.others : passes.total + Pair{-own_weight, 0.0};
    const double own = scale * ((total - own_target + pull) * (own_weight / passes.total.hi) -
                                own_target * (rest.value() / passes.total.hi));
    const Pair factor = divide({all, 0.0}, passes.total);
    multiply(to, classes, factor.hi, factor.lo, scale * even);
    to[label] = T(own);
    Elements::write(gradient, to, classes);
    return true;
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
