// The label loss of softmax, and the z-loss of every mapping. Each formula is here once; loops give it one row (Number
// is double) or a row per lane (Number is D).
//
//   L = w (t log S + (y - u) (max - x_label) + u sum_c (max - x_c) + lambda Z^2),   S = sum_c e^(x_c - max),  Z = max +
//   log S
//
// with the row weight w, the label's target y, the uniform share u of label smoothing, and the sum t of all targets.
#pragma once

#include "../api/requests.hpp"
#include "../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

inline bool has_z_term(const LossOptions& options) { return options.z_loss != 0.0; }
// Softmax rows with a larger score go to the general blocks, which know what to do where Z^2 overflows.
constexpr double largest_score_of_z_term = 1e280;

// lambda Z^2. lambda is multiplied by the label's class weight, the row's part of a mean's denominator: so the scale of
// the class weights leaves the mean of Z^2 alone.
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

  LabelLoss(const LossOptions& options, int64_t classes, Number row_weight, Number label_weight)
      : weight(row_weight),
        uniform_share(options.label_smoothing / double(classes)),
        target(label_weight * (1.0 - options.label_smoothing) + uniform_share),
        total(target - uniform_share + options.label_smoothing),
        has_z(has_z_term(options)),
        z_term(options, label_weight) {}

  // (y - u) (max - x_label). A label whose target is all smoothed away may have the score -inf.
  Number label_part(Number distance) const {
    const Number above = target - uniform_share;
    return above != 0.0 ? above * distance : Number{};
  }
  // L from t log S and the two other parts, in the order of the loop that calls.
  Number value(Number log_part, Number first, Number second, Number z) const {
    Number loss = log_part + first + second;
    if (has_z) loss += z_term.value(z);
    return weight * loss;
  }

  // What the z-loss adds to the gradient, in units of the probabilities.
  Number z_slope(Number z) const { return has_z ? z_term.slope(z) : Number{}; }
  // The gradient of a class without the label is p times this, minus u; both times w.
  Number slope_of_others(Number z_slope) const { return total + z_slope; }
  // The gradient at the label, divided by w, made of the sum 1 - p of the other classes: p - 1 would round to zero
  // before they do.
  Number label_entry(Number p, Number others, Number z_slope) const {
    return (total - target + z_slope) * p - target * others;
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
