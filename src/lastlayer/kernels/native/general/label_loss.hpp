// The label loss of softmax, and the z-loss of every mapping. Each formula is here once; a loop uses it for one row
// (Number is double) or with a row in each lane (Number is D).
//
//   L = w (t log S + (y - u) (max - x_label) + u sum_c (max - x_c) + lambda Z^2)
//   S = sum_c e^(x_c - max),  Z = max + log S
//
// with the row weight w, the label's target y, the uniform share u of label smoothing, and the sum t of all targets.
#pragma once

#include "../api/requests.hpp"
#include "../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

inline bool has_z_term(const LossOptions& options) { return options.z_loss != 0.0; }
// Rows with a larger score go to the general blocks, which handle an overflow of Z^2.
constexpr double largest_score_of_z_term = 1e280;

// lambda Z^2. The class weight of the label multiplies lambda, as it does the denominator of a mean: the scale of the
// class weights then cancels.
template <class Number>
struct ZTerm {
  Number lambda;
  ZTerm(const LossOptions& options, Number label_weight) : lambda(options.z_loss * label_weight) {}
  Number value(Number z) const { return lambda * z * z; }
  Number slope(Number z) const { return 2.0 * lambda * z; }  // in Z
};

template <class Number>
struct LabelLoss {
  Number weight;         // w
  double uniform_share;  // u
  Number target, total;  // y, t
  bool has_z;
  ZTerm<Number> z_term;

  LabelLoss(const LossOptions& options, double uniform_share, Number row_weight, Number label_weight)
      : weight(row_weight),
        uniform_share(uniform_share),
        target(label_weight * (1.0 - options.label_smoothing) + uniform_share),
        total(target - uniform_share + options.label_smoothing),
        has_z(has_z_term(options)),
        z_term(options, label_weight) {}

  // (y - u) (max - x_label). The score may be -inf if smoothing leaves the label no target.
  Number label_part(Number distance) const {
    const Number above = target - uniform_share;
    return above != 0.0 ? above * distance : Number{};
  }
  // L from t log S and the two other parts, added in the caller's order.
  Number value(Number log_part, Number first, Number second, Number z) const {
    Number loss = log_part + first + second;
    if (has_z) loss += z_term.value(z);
    return weight * loss;
  }

  // The gradient of the z-loss, per unit of a class's probability.
  Number z_slope(Number z) const { return has_z ? z_term.slope(z) : Number{}; }
  // The gradient of a class without the label is w times (p times this, minus u).
  Number slope_of_others(Number z_slope) const { return total + z_slope; }
  // The gradient at the label, divided by w. `others` is the sum of the other classes' probabilities: p - 1 would round
  // to zero before they do.
  Number label_entry(Number p, Number others, Number z_slope) const {
    return (total - target + z_slope) * p - target * others;
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
