// The normalized family's losses and their gradients: log loss of labels or soft targets, with the z-loss.
#pragma once

#include "../arithmetic/elementary.hpp"
#include "layout.hpp"
#include "normalized_terms.hpp"
#include "targets.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class W, class M, class X = ScoresCopied>
class Normalized : public NormalizedWeights<W, M, X> {
  using Base = NormalizedWeights<W, M, X>;
  using Base::at_, Base::best_, Base::context_, Base::has_infinite_, Base::high_, Base::inverse_, Base::is_dominated_,
      Base::low_;
  using Base::has_weight, Base::log_probability, Base::others_, Base::poison_, Base::total_, Base::weight, Base::x_;

 public:
  static constexpr bool has_weights_in_sum = !M::is_fenchel_young, reads_in_place = true;
  static constexpr int64_t longest_copy = few;
  // The same of scores that lie elsewhere.
  template <class Other>
  using Of = Normalized<W, M, Other>;
  using Base::Base, Base::log_partition;

  // The row's loss, and its gradient in place of the weights, in the scores that the mapping sees.
  D loss(const Targets& targets, bool with_gradient, double scale) {
    const D total = targets.total(), factor = targets.factor();
    D loss = factor * (targets.is_plain() ? label_loss(targets) : soft_loss(targets));
    loss = targets.has_targets ? loss : D{};
    const D pull = targets.request.z_loss != 0.0 ? targets.add_z_loss(log_partition(), loss) : D{};
    if (with_gradient) differentiate(targets, total, factor * scale, pull * scale);
    return loss + poison_;
  }

  // The gradient of a row along the lanes whose target is all on its label, without a z-loss.
  struct LabelSlopes {
    const Normalized& rows;
    W row;
    int64_t label;
    double own;
    LabelSlopes(const Normalized& rows, const Targets& t, double scale) : rows(rows), label(t.label[0]) {
      const D total = t.total(), by = t.factor() * scale;
      row = rows.inverse_ * W(total * by);
      own = rows.entry(rows.label_score(t), rows.label_weight(t), total, total, by, D{})[0];
    }
    // Of all classes but the label, from `place` on, whose scores are x.
    LASTLAYER_INLINE D operator()(int64_t place, D x) const {
      return rows.elsewhere(x, rows.weight_from(place, x), row);
    }
  };

 private:
  // 1 - p, times the total.
  W complement(W w) const { return choose(is_same(w, best_), others_, total_ - w); }

  // g' on the scale of the weights.
  W slope_of_sum(D x, W w) const {
    if constexpr (!M::has_mantissa) {
      return w;
    } else {
      W derivative;
      if constexpr (M::has_exponent)
        derivative = w * M::template steepness<W>(x, context_);
      else
        derivative = M::template derivative<W>(x, context_);
      return has_infinite_ ? choose(is_dominated_ | ~has_weight(x), W(D{}), derivative) : derivative;
    }
  }
  // g' / g.
  W steepness(D x) const {
    if constexpr (!M::has_mantissa) {
      return W(all(1.0));
    } else {
      const W steep = M::template steepness<W>(x, context_);
      // Its limits, of which that at +inf is zero for every g that has a mantissa.
      const D limit = x < 0.0 ? all(M::steepness_below) : D{};
      return has_infinite_ ? choose(absolute(x) < infinity, steep, W(limit)) : steep;
    }
  }

  D label_score(const Targets& t) const { return x_.pick(at_, t.label); }
  W label_weight(const Targets& t) const {
    if constexpr (!Base::is_kept) return Base::weight_at(label_score(t));
    if constexpr (W::is_twofold) return W(at_.pick(high_, t.label), at_.pick(low_, t.label));
    return W(at_.pick(high_, t.label));
  }
  D label_loss(const Targets& t) const {
    const D y = t.total();
    const W log_p = log_probability(label_score(t), label_weight(t));
    // An infinite loss has no low part.
    const D plain = -log_p.hi * y, loss = absolute(plain) < infinity ? (-log_p * W(y)).value() : plain;
    return y != 0.0 ? loss : D{};
  }
  D soft_loss(const Targets& t) const {
    LossSum<W> sum;
    for (int64_t step = 0; step < at_.steps; ++step) {
      const D y = t(step);
      W log_p = log_probability(x_(step), weight(step));
      const D plain = -log_p.hi * y;
      const Mask is_term = y != 0.0, is_finite = absolute(plain) < infinity;
      // The Fenchel-Young loss of softmax is cross-entropy - H(y). An infinite logarithm has no low part to subtract
      // from.
      if constexpr (M::is_fenchel_young) log_p = choose(is_finite, log_p - logarithm(W(y > 0.0 ? y : all(1.0))), log_p);
      sum.add(choose(is_term & is_finite, -log_p * W(y), W(D{})), is_term & ~is_finite ? plain : D{});
    }
    return sum.total(at_);
  }

  // A row of -inf alone has no probabilities, though the logarithm of its sum is known.
  D poison_of_gradient() const { return has_infinite_ ? (total_.hi == 0.0 ? all(not_a_number) : poison_) : poison_; }
  D elsewhere(D x, W w, W row) const { return (slope_of_sum(x, w) * row).value() + poison_; }
  D entry(D x, W w, D y, D total, D scale, D pull) const {
    const D share = (total - y) * scale + pull;
    const W others = complement(w), steep = steepness(x);
    W elsewhere = W(share) * (slope_of_sum(x, w) * inverse_);
    W own = W(y * scale) * (others * inverse_ * steep);
    // A class of probability 0 may be infinitely steep, which has no low part.
    if constexpr (M::has_mantissa) own = choose(absolute(steep.hi) < infinity, own, W(y * scale * steep.hi));
    // A factor of zero makes a part zero: what it multiplies may be infinite, as 1 / x of a subnormal x.
    elsewhere = choose(share == 0.0, W(D{}), elsewhere);
    own = choose((y == 0.0) | (others.hi == 0.0), W(D{}), own);
    const D rest = (elsewhere - own).value();
    return (absolute(own.hi) < infinity ? rest : -own.hi) + poison_of_gradient();
  }
  // g'_k (sum y + pull) / S - y_k g'_k / g_k, with the target's own entry made of the other classes alone.
  void differentiate(const Targets& t, D total, D scale, D pull) {
    // The z-loss of an infinite score pulls without bound, and has no low part.
    const Mask is_endless = absolute(pull) == infinity;
    const bool has_endless = has_any(is_endless), is_plain = t.is_plain();
    const D bounded = is_endless ? D{} : pull;
    const auto endless = [&](D x, W w) {
      const D slope = (slope_of_sum(x, w) * inverse_).value();
      return is_endless & (slope != 0.0) ? slope * pull : D{};
    };
    const W row = inverse_ * W(total * scale + bounded);
    D own{};
    if (is_plain) {
      const D x = label_score(t);
      const W w = label_weight(t);
      own = entry(x, w, total, total, scale, bounded);
      if (has_endless) own += endless(x, w);
    }
    for (int64_t step = 0; step < at_.steps; ++step) {
      const D x = x_(step);
      const W w = weight(step);
      D g = is_plain ? elsewhere(x, w, row) : entry(x, w, t(step), total, scale, bounded);
      if (has_endless) g += endless(x, w);
      store(high_ + step * lanes, g);
    }
    if (is_plain) place(t.label, own);
  }
  void place(Mask label, D own) {
    for (int i = 0; i < (at_.is_across ? lanes : 1); ++i)
      high_[at_.is_across ? label[i] * lanes + i : label[i]] = own[i];
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
