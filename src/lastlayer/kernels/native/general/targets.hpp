// The targets of a block's rows with their options applied: smoothing, class weights, which rows count, and their
// weights.
#pragma once

#include "../api/requests.hpp"
#include "../arithmetic/double_double.hpp"
#include "label_loss.hpp"
#include "layout.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// A compensated sum of a loss's terms. Some terms may be infinite, or the sum may overflow: then no rounding error is
// added back.
template <class W>
struct LossSum {
  W sum = W(D{});
  D plain{};
  void add(W term, D infinite) {
    sum = sum + term;
    plain += term.hi + infinite;
  }
  D total(const Layout& layout) const {
    const D rounded = layout.sum(plain);
    return absolute(rounded) < infinity ? layout.sum(sum).value() : rounded;
  }
};

struct Targets {
  const Loss& request;
  const Layout& layout;
  const double* soft = nullptr;  // the block's soft targets
  bool in_sum;                   // class weights multiply the targets; else the row's loss
  Mask is_counted, label{};
  Mask has_targets{};        // rows with a target of nonzero weight: the others have only their z-loss
  D row_weight, nan_mask{};  // nan_mask: NaN for a row whose label is out of range, else 0

  // Soft targets are copied to `buffer`.
  __attribute__((noinline)) Targets(const Loss& request, const Layout& layout, int64_t first, double* buffer)
      : request(request), layout(layout), in_sum(request.has_class_weights_in_sum()) {
    is_counted = splat_integer(-1);
    row_weight = request.row_weight ? layout.of_rows(request.row_weight + first) : splat(1.0);
    for (int i = 0; i < lanes; ++i) is_counted[i] = request.is_counted(first + (i < layout.rows ? i : 0)) ? -1 : 0;
    if (request.labels) {
      label = layout.of_rows(request.labels + first);
      const Mask is_bad = (label < 0) | (label >= layout.classes);
      nan_mask = is_bad ? splat(not_a_number) : D{};
      label = is_bad ? Mask{} : label;
    } else {
      load_block(request.soft_element, request.soft_targets, first, layout, buffer);
      soft = buffer;
    }
    sum_targets();
  }

  // Whether the whole target of a row is its label.
  bool is_plain() const { return !soft && request.label_smoothing == 0.0; }
  // The range of steps in which a target may be nonzero.
  int64_t begin() const { return is_plain() && !layout.has_row_per_lane ? label[0] / lanes : 0; }
  int64_t end() const { return is_plain() && !layout.has_row_per_lane ? label[0] / lanes + 1 : layout.steps; }

  D class_weight(int64_t step) const {
    return request.class_weight ? layout.of_classes(request.class_weight, step) : splat(1.0);
  }
  D label_weight() const {
    D v = splat(1.0);
    if (request.class_weight)
      for (int i = 0; i < lanes; ++i) v[i] = request.class_weight[label[i]];
    return v;
  }
  D raw(int64_t step) const {
    if (soft) return layout.only_classes(step, load(soft + step * lanes));
    return layout.index(step) == label ? splat(1.0) : D{};
  }
  // The target y in vector `step`.
  D operator()(int64_t step) const {
    D y = raw(step);
    if (request.label_smoothing != 0.0) {
      const double uniform_share = request.label_smoothing / double(layout.classes);
      y = layout.only_classes(step, y * (1.0 - request.label_smoothing) + uniform_share);
    }
    return in_sum ? y * class_weight(step) : y;
  }
  // The sum of y.
  D total() const { return total_; }
  // The factor of the row's loss: the row weight, and class weights unless they are in the sum.
  D factor() const { return factor_; }

  // Completes the loss of each row: zero without targets, plus the z-loss. Returns what the z-loss adds to the
  // gradient, per unit of the gradient of Z. Calls `log_partition` only if there is a z-loss.
  template <class LogPartition>
  D finish(D& loss, LogPartition log_partition) const {
    loss = has_targets ? loss : D{};
    if (!has_z_term(request)) return D{};
    const ZTerm<D> z_term(request, splat(1.0));
    const D z = log_partition(), weight = soft || !request.class_weight ? row_weight : row_weight * label_weight();
    const Mask counts = weight != 0.0;
    loss += counts ? weight * z_term.value(z) : D{};
    return counts ? weight * z_term.slope(z) : D{};
  }

 private:
  void sum_targets() {
    Mask has_any_target;
    if (is_plain()) {
      total_ = in_sum ? label_weight() : splat(1.0);
      has_any_target = total_ != 0.0;
    } else {
      // Thousands of soft targets would collect the rounding errors of all additions.
      DoubleDouble sum(D{});
      Mask some{};
      for (int64_t step = 0; step < layout.steps; ++step) {
        const D y = (*this)(step);
        sum = sum + DoubleDouble(y);
        some |= y != 0.0;
      }
      total_ = layout.sum(sum).value();
      has_any_target = layout.any(some);
    }
    factor_ = row_factor();
    // A row of weight zero does not count, whatever its scores are; but a row with a bad label is NaN.
    has_targets = (has_any_target & (factor_ != 0.0)) | (nan_mask != 0.0);
    if (!has_z_term(request)) is_counted &= has_targets;
  }
  D row_factor() const {
    if (in_sum || !request.class_weight) return row_weight;
    if (!soft) return row_weight * label_weight();
    DoubleDouble sum(D{});
    for (int64_t step = 0; step < layout.steps; ++step) {
      const D y = raw(step);
      sum = sum + DoubleDouble(y != 0.0 ? y * class_weight(step) : D{});
    }
    return row_weight * layout.sum(sum).value();
  }

  D total_, factor_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
