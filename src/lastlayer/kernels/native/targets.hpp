// The targets of a block's rows, their options applied: smoothing and class weights, which rows count, and what each weighs.
// Included by rows.hpp.

struct Targets {
  const Loss& request;
  const Layout& at;
  const double* soft = nullptr;  // the block's soft targets
  bool in_sum;                   // class weights multiply the targets; else they weigh the row
  Mask is_counted, label{};
  D row_weight, poison{};  // NaN for a row whose label is out of range

  template <class SoftLoader>
  Targets(const Loss& request, const Layout& at, int64_t first, bool in_sum, double* buffer, SoftLoader load_soft)
      : request(request), at(at), in_sum(in_sum) {
    is_counted = all_of(-1);
    row_weight = request.row_weight ? at.of_rows(request.row_weight + first) : all(1.0);
    for (int i = 0; i < lanes; ++i) is_counted[i] = request.is_counted(first + (i < at.rows ? i : 0)) ? -1 : 0;
    if (request.labels) {
      label = at.of_rows(request.labels + first);
      const Mask is_bad = (label < 0) | (label >= at.classes);
      poison = is_bad ? all(not_a_number) : D{};
      label = is_bad ? Mask{} : label;
    } else {
      load_soft(buffer);
      soft = buffer;
    }
  }

  // Whether all of a row's target is on its label.
  bool is_plain() const { return !soft && request.label_smoothing == 0.0; }
  // The steps in which a target may differ from zero.
  int64_t begin() const { return is_plain() && !at.is_across ? label[0] / lanes : 0; }
  int64_t end() const { return is_plain() && !at.is_across ? label[0] / lanes + 1 : at.steps; }

  D class_weight(int64_t step) const {
    return request.class_weight ? at.of_classes(request.class_weight, step) : all(1.0);
  }
  D label_weight() const {
    D v = all(1.0);
    if (request.class_weight)
      for (int i = 0; i < lanes; ++i) v[i] = request.class_weight[label[i]];
    return v;
  }
  D raw(int64_t step) const {
    if (soft) return at.only_classes(step, load(soft + step * lanes));
    return at.index(step) == label ? all(1.0) : D{};
  }
  // y of the loss at vector `step`.
  D operator()(int64_t step) const {
    D y = raw(step);
    if (request.label_smoothing != 0.0) {
      const double even = request.label_smoothing / double(at.classes);
      y = at.only_classes(step, y * (1.0 - request.label_smoothing) + even);
    }
    return in_sum ? y * class_weight(step) : y;
  }
  D total() const {
    if (is_plain()) return in_sum ? label_weight() : all(1.0);
    // Thousands of soft targets would collect the rounding of every addition.
    Twofold sum(D{});
    for (int64_t step = 0; step < at.steps; ++step) sum = sum + Twofold((*this)(step));
    return at.sum(sum).value();
  }
  // What multiplies the row's loss: its own weight, and its class weights where they do not stand in the sum.
  D factor() const {
    if (in_sum || !request.class_weight) return row_weight;
    if (!soft) return row_weight * label_weight();
    Twofold sum(D{});
    for (int64_t step = 0; step < at.steps; ++step) {
      const D y = raw(step);
      sum = sum + Twofold(y != 0.0 ? y * class_weight(step) : D{});
    }
    return row_weight * at.sum(sum).value();
  }
};
