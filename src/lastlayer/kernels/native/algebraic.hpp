// Mappings whose g is algebraic, for float32 scores: g and its sum in double, where they neither overflow nor underflow and
// lose nothing that float32 can show. A mapping is a functor; the loops are here. Included by rows.hpp.

struct Ratio {
  // Whether a row of valid scores may have no weight at all (a row of -inf).
  static constexpr bool may_vanish = false;
  static bool is_valid(double x) { return x >= 0.0; }
  static bool dominates(double x) { return x == infinity; }
  static double g(double x) { return x + 0.0; }  // and never -0
  static double derivative(double) { return 1.0; }
};

struct Spherical {
  static constexpr bool may_vanish = false;
  static bool is_valid(double x) { return x == x; }
  static bool dominates(double x) { return x == infinity || x == -infinity; }
  static double g(double x) { return x * x; }
  static double derivative(double x) { return 2.0 * x; }
};

struct Stablemax {
  static constexpr bool may_vanish = true;
  static bool is_valid(double x) { return x == x; }
  static bool dominates(double x) { return x == infinity; }
  static double g(double x) { return x >= 0.0 ? x + 1.0 : 1.0 / (1.0 - x); }
  static double derivative(double x) { return x >= 0.0 ? 1.0 : 1.0 / ((1.0 - x) * (1.0 - x)); }
};

// The second order: 1 + x + x^2 / 2 = ((1 + x)^2 + 1) / 2, which does not cancel around -1.
struct Taylor {
  static constexpr bool may_vanish = false;
  static bool is_valid(double x) { return x == x; }
  static bool dominates(double x) { return x == infinity || x == -infinity; }
  static double g(double x) { return 0.5 * ((1.0 + x) * (1.0 + x) + 1.0); }
  static double derivative(double x) { return 1.0 + x; }
};

// A row of g: the largest kept apart from the sum of the others.
struct AlgebraicRow {
  Kind kind;
  int64_t top;
  double largest, others, total;

  // What is left for the others of a class of weight w: no cancellation, for w is at most half of the total.
  double rest(int64_t j, double w) const { return j == top ? others : total - w; }
  double minus_log(int64_t j, double w) const { return ::log1p(rest(j, w) / w); }
};

// g of one score; in a dominated row its infinite classes share equally.
template <class Mapping>
inline double weight_of(double x, Kind kind) {
  return kind == Kind::dominated ? (Mapping::dominates(x) ? 1.0 : 0.0) : Mapping::g(x);
}

template <class Mapping>
inline AlgebraicRow algebraic_row(const float* x, int64_t classes, double factor) {
  bool is_valid = true, is_dominated = false;
  for (int64_t j = 0; j < classes; ++j) {
    is_valid &= Mapping::is_valid(double(x[j]));
    is_dominated |= Mapping::dominates(double(x[j]));
  }
  AlgebraicRow row{!is_valid ? Kind::nan : is_dominated ? Kind::dominated : Kind::ordinary, 0, 0.0, 0.0, not_a_number};
  if (row.kind == Kind::nan) return row;
  const auto weight = [&](int64_t j) { return weight_of<Mapping>(double(x[j]) * factor, row.kind); };
  row.largest = weight(0);
  for (int64_t j = 1; j < classes; ++j) row.largest = weight(j) > row.largest ? weight(j) : row.largest;
  while (weight(row.top) != row.largest) ++row.top;
  constexpr int lanes = 8;
  double sums[lanes] = {};
  const auto add = [&](int64_t from, int64_t to) {
    int64_t j = from;
    for (; j + lanes <= to; j += lanes)
      for (int i = 0; i < lanes; ++i) sums[i] += weight(j + i);
    for (int i = 0; j < to; ++j, ++i) sums[i] += weight(j);
  };
  add(0, row.top);
  add(row.top + 1, classes);
  for (int width = lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) sums[i] += sums[i + width];
  row.others = sums[0];
  row.total = row.largest + row.others;
  // Nothing but zeros: 0 / 0.
  if (!(row.total > 0.0)) row.kind = Kind::nan;
  return row;
}

template <class Mapping>
void algebraic_evaluate(const float* scores, float* out, int64_t begin, int64_t end, int64_t classes, Quantity quantity) {
  for (int64_t i = begin; i < end; ++i) {
    const float* x = scores + i * classes;
    const AlgebraicRow row = algebraic_row<Mapping>(x, classes, 1.0);
    if (quantity == Quantity::log_partition) {
      // A valid row without any weight has no probabilities, but its log-partition is log 0.
      const bool is_empty = Mapping::may_vanish && row.total == 0.0;
      out[i] = float(row.kind == Kind::nan ? (is_empty ? -infinity : not_a_number) : row.kind == Kind::dominated ? infinity : ::log(row.total));
      continue;
    }
    float* to = out + i * classes;
    if (row.kind == Kind::nan) {
      fill(to, classes, not_a_number);
    } else if (quantity == Quantity::probabilities) {
      const double inverse = 1.0 / row.total;
      if (row.kind == Kind::ordinary)
        for (int64_t j = 0; j < classes; ++j) to[j] = float(Mapping::g(double(x[j])) * inverse);
      else
        for (int64_t j = 0; j < classes; ++j) to[j] = float(weight_of<Mapping>(double(x[j]), row.kind) * inverse);
    } else {
      for (int64_t j = 0; j < classes; ++j) to[j] = float(-row.minus_log(j, weight_of<Mapping>(double(x[j]), row.kind)));
    }
  }
}

template <class Mapping>
double algebraic_row_loss(const float* x, float* gradient, int64_t i, int64_t classes, const LabelLoss& o) {
  const int64_t label = o.labels[i];
  const double factor = 1.0 / o.temperature;
  const AlgebraicRow row = algebraic_row<Mapping>(x, classes, factor);
  if (row.kind == Kind::nan || label < 0 || label >= classes) {
    if (gradient) fill(gradient, classes, not_a_number);
    return not_a_number;
  }
  const RowTargets t = targets_of(o, label, classes);
  const auto class_weight = [&](int64_t j) { return o.class_weight ? o.class_weight[j] : 1.0; };
  const auto score = [&](int64_t j) { return double(x[j]) * factor; };
  const auto weight = [&](int64_t j) { return weight_of<Mapping>(score(j), row.kind); };
  // g' / g, and g'; both vanish beside and at infinite scores.
  const auto derivative = [&](int64_t j) { return row.kind == Kind::dominated ? 0.0 : Mapping::derivative(score(j)); };
  const auto slope = [&](int64_t j) {
    const double s = score(j);
    return s == infinity || s == -infinity ? 0.0 : Mapping::derivative(s) / Mapping::g(s);
  };
  double loss = t.label != 0.0 ? t.label * row.minus_log(label, weight(label)) : 0.0;
  if (t.even != 0.0)
    for (int64_t j = 0; j < classes; ++j)
      if (class_weight(j) != 0.0) loss += t.even * class_weight(j) * row.minus_log(j, weight(j));
  double pull = 0.0;
  if (o.z_loss != 0.0) {
    const double z = row.kind == Kind::dominated ? infinity : ::log(row.total);
    loss += o.z_loss * z * z;
    pull = 2.0 * o.z_loss * z;
  }
  const double own_weight = o.row_weight ? o.row_weight[i] : 1.0;
  if (!gradient) return own_weight * loss;

  const double scale = own_weight * o.gradient_scale * factor, inverse = 1.0 / row.total;
  const double all = scale * (t.total + pull) * inverse;
  const auto entry = [&](int64_t j, double target) {
    // The class itself enters by what is left for the others: 1 - p would round to zero before they do.
    const double own = target != 0.0 ? target * slope(j) * (row.rest(j, weight(j)) * inverse) : 0.0;
    return scale * ((t.total - target + pull) * derivative(j) * inverse - own);
  };
  const double own_entry = entry(label, t.label + t.even * class_weight(label));
  if (t.even != 0.0)
    for (int64_t j = 0; j < classes; ++j) gradient[j] = j == label ? x[j] : float(entry(j, t.even * class_weight(j)));
  else if (row.kind == Kind::ordinary)
    for (int64_t j = 0; j < classes; ++j) gradient[j] = float(all * Mapping::derivative(score(j)));
  else
    fill(gradient, classes, 0.0);
  gradient[label] = float(own_entry);
  return own_weight * loss;
}

template <class Mapping>
void algebraic_label_loss(const float* scores, float* gradient, double* losses, int64_t begin, int64_t end, int64_t classes,
                          const LabelLoss& o) {
  for (int64_t i = begin; i < end; ++i) {
    float* to = gradient ? gradient + i * classes : nullptr;
    if (is_counted(o, i)) {
      losses[i] = algebraic_row_loss<Mapping>(scores + i * classes, to, i, classes, o);
    } else {
      losses[i] = 0.0;
      if (to) fill(to, classes, 0.0);
    }
  }
}
