// Softmax of rows with many classes: what was asked of each row, by the passes of long_rows.hpp. What they are not made for
// goes to the blocks that every mapping has. Included by rows.hpp.

template <class T, class Rows>
struct LongSoftmax {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    T* out = static_cast<T*>(r.out);
    over_rows(scores, begin, end, r.classes, [&](int64_t i, const T* x, T largest, auto begin_next) {
      LongRow<T> passes(largest);
      const int64_t next = ahead(i, end, r.classes);
      T* to = out + i * r.classes;
      if (!passes.is_finite()) {
        Blocks<T, Rows>::evaluate(r, i, i + 1, memory);
        begin_next();
        return;
      }
      if (r.quantity == Quantity::probabilities) {
        passes.weigh_for_total(x, to, r.classes, {next});
        const Pair inverse = passes.inverse();
        begin_next();
        multiply(to, to, r.classes, inverse.hi, inverse.lo, 0.0);
        return;
      }
      passes.weigh(x, nullptr, r.classes, {next, r.quantity == Quantity::log_partition ? nullptr : to});
      begin_next();
      passes.separate(x, nullptr, r.classes);
      if (r.quantity == Quantity::log_partition) {
        out[i] = T(double(passes.largest) + passes.log_sum);
        return;
      }
      logarithms(x, to, r.classes, passes);
    });
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    over_rows(scores, begin, end, r.classes, [&](int64_t i, const T* x, T largest, auto begin_next) {
      LongRow<T> passes(largest);
      const int64_t label = r.labels[i];
      if (r.is_counted(i) && label >= 0 && label < r.classes && passes.is_finite()) {
        loss_of_row(r, i, label, x, passes, ahead(i, end, r.classes), begin_next);
      } else {
        Blocks<T, Rows>::loss(r, i, i + 1, memory);
        begin_next();
      }
    });
  }

 private:
  // Calls work(row, its scores, the largest, begin_next) for each row. The work calls begin_next() where its own row still has
  // much to wait for: then the next one's first pass has begun.
  template <class Work>
  static void over_rows(const T* scores, int64_t begin, int64_t end, int64_t classes, Work work) {
    const T* x = scores + begin * classes;
    T largest = LongRow<T>::largest_of(x, classes);
    for (int64_t i = begin; i < end; ++i) {
      const T* next_x = x;
      T next_largest = largest;
      work(i, x, largest, [&] {
        if (i + 1 == end) return;
        next_x = x + classes;
        next_largest = LongRow<T>::largest_of(next_x, classes);
      });
      x = next_x;
      largest = next_largest;
    }
  }

  // How far ahead is what should be fetched while a row is in work: two rows, so that none comes late, or one that is long.
  static int64_t ahead(int64_t i, int64_t end, int64_t classes) {
    const int64_t rows = classes > 8192 ? 1 : 2;
    return i + rows < end ? rows * classes : 0;
  }

  // (x - max) - log(total / top): both parts are <= 0, so nothing cancels.
  static void logarithms(const T* x, T* out, int64_t classes, const LongRow<T>& row) {
    const Vector<T> largest = splat(row.largest), log_sum = splat(T(row.log_sum));
    over_vectors(x, classes, row.largest,
                 [&](Vector<T> v, int64_t j, int count) { store_some(out + j, (v - largest) - log_sum, count); });
  }

  template <class Next>
  static void loss_of_row(const Loss& r, int64_t i, int64_t label, const T* x, LongRow<T>& passes, int64_t next, Next begin_next) {
    const int64_t classes = r.classes;
    const double smoothing = r.label_smoothing, even = smoothing / double(classes);
    const double own_target = (r.class_weight ? r.class_weight[label] : 1.0) * (1.0 - smoothing) + even;
    const double weight = r.row_weight ? r.row_weight[i] : 1.0, own_score = double(x[label]), largest = double(passes.largest);
    // Before the weights may overwrite the scores.
    const double distance = even != 0.0 ? even * distance_to(x, classes, largest) : 0.0;
    T* to = r.gradient ? static_cast<T*>(r.gradient) + i * classes : nullptr;
    passes.weigh(x, to, classes, {next});
    begin_next();
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
    if (!to) return;
    const double scale = weight * r.gradient_scale, all = scale * (total + pull);
    const double own_weight = double(to[label]);
    // The label's own entry is made of the other classes alone: p - 1 would round to zero before they do.
    const Pair rest = own_weight == passes.kept.hi ? passes.others : passes.total + Pair{-own_weight, 0.0};
    const double own = scale * ((total - own_target + pull) * (own_weight / passes.total.hi) -
                                own_target * (rest.value() / passes.total.hi));
    const Pair inverse = passes.inverse();
    const Pair factor = {all * inverse.hi, __builtin_fma(all, inverse.hi, -(all * inverse.hi)) + all * inverse.lo};
    multiply(to, to, classes, factor.hi, factor.lo, scale * even);
    to[label] = T(own);
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
