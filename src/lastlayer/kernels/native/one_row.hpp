// What was asked for of one row with many classes: a quantity, or the loss of its label and its gradient.
// Included by rows.hpp inside the namespace of one instruction set.

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
