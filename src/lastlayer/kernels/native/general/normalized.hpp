// Losses of the normalized family and their gradients: log loss of labels or soft targets, with the z-loss.
#pragma once

#include "../arithmetic/elementary.hpp"
#include "../thresholds.hpp"
#include "layout.hpp"
#include "normalized_terms.hpp"
#include "targets.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class W, class M, class X = ScoresCopied>
class Normalized : public NormalizedTerms<W, M, X> {
  using Base = NormalizedTerms<W, M, X>;
  using Base::has_term, Base::log_probability, Base::others_, Base::nan_mask_, Base::total_, Base::term, Base::x_;
  using Base::layout_, Base::best_, Base::context_, Base::has_infinite_, Base::high_, Base::inverse_,
      Base::is_dominated_, Base::low_;

 public:
  static constexpr bool reads_in_place = true;
  static constexpr int64_t longest_copy = thresholds::row_per_lane_classes;
  // The same mapping of scores stored elsewhere.
  template <class Other>
  using Of = Normalized<W, M, Other>;
  using Base::Base, Base::log_partition;

  // Returns the loss of each row. The gradient in the scores that the mapping sees overwrites the terms.
  D loss(const Targets& targets, bool with_gradient, double scale) {
    const D total = targets.total(), factor = targets.factor();
    D loss = factor * (targets.is_plain() ? label_loss(targets) : soft_loss(targets));
    const D z_slope = targets.finish(loss, [&] { return log_partition(); });
    if (with_gradient) differentiate(targets, total, factor * scale, z_slope * scale);
    return loss + nan_mask_;
  }

  // The gradient of one row in place, for a plain label without z-loss.
  struct LabelSlopes {
    const Normalized& point;
    W row;
    int64_t label;
    double label_entry;
    LabelSlopes(const Normalized& point, const Targets& t, double scale) : point(point), label(t.label[0]) {
      const D total = t.total(), by = t.factor() * scale;
      row = point.inverse_ * W(total * by);
      label_entry = point.entry(point.label_score(t), point.label_term(t), total, total, by, D{})[0];
    }
    // The entry of any class but the label, from the place and score.
    LASTLAYER_INLINE D operator()(int64_t place, D x) const {
      return point.elsewhere(x, point.term_from(place, x), row);
    }
  };

 private:
  // (1 - p) times the total.
  W complement(W w) const { return choose(is_same(w, best_), others_, total_ - w); }

  // g', in units of the terms.
  W slope_of_sum(D x, W w) const {
    if constexpr (!M::has_mantissa) {
      return w;
    } else {
      W derivative;
      if constexpr (M::has_exponent)
        derivative = w * M::template steepness<W>(x, context_);
      else
        derivative = M::template derivative<W>(x, context_);
      return has_infinite_ ? choose(is_dominated_ | ~has_term(x), W(D{}), derivative) : derivative;
    }
  }
  // g' / g.
  W steepness(D x) const {
    if constexpr (!M::has_mantissa) {
      return W(splat(1.0));
    } else {
      const W steep = M::template steepness<W>(x, context_);
      // The limits of g' / g. At +inf it is zero for every g with a mantissa.
      const D limit = x < 0.0 ? splat(M::steepness_below) : D{};
      return has_infinite_ ? choose(absolute(x) < infinity, steep, W(limit)) : steep;
    }
  }

  D label_score(const Targets& t) const { return x_.pick(layout_, t.label); }
  W label_term(const Targets& t) const {
    if constexpr (!Base::stores_terms) return Base::term_at(label_score(t));
    if constexpr (W::is_double_double) return W(layout_.pick(high_, t.label), layout_.pick(low_, t.label));
    return W(layout_.pick(high_, t.label));
  }
  D label_loss(const Targets& t) const {
    const D y = t.total();
    const W log_p = log_probability(label_score(t), label_term(t));
    // An infinite loss has no low part.
    const D plain = -log_p.hi * y, loss = absolute(plain) < infinity ? (-log_p * W(y)).value() : plain;
    return y != 0.0 ? loss : D{};
  }
  D soft_loss(const Targets& t) const {
    LossSum<W> sum;
    for (int64_t step = 0; step < layout_.steps; ++step) {
      const D y = t(step);
      W log_p = log_probability(x_(step), term(step));
      const D plain = -log_p.hi * y;
      const Mask is_term = y != 0.0, is_finite = absolute(plain) < infinity;
      // Entmax at 1: the Fenchel-Young loss of softmax is cross-entropy - H(y). An infinite logarithm has no low part
      // to subtract from.
      if constexpr (!M::has_mantissa)
        if (!t.in_sum) log_p = choose(is_finite, log_p - logarithm(W(y > 0.0 ? y : splat(1.0))), log_p);
      sum.add(choose(is_term & is_finite, -log_p * W(y), W(D{})), is_term & ~is_finite ? plain : D{});
    }
    return sum.total(layout_);
  }

  // A row of nothing but -inf has no probabilities, though it has a log-partition.
  D nan_mask_of_gradient() const {
    return has_infinite_ ? (total_.hi == 0.0 ? splat(not_a_number) : nan_mask_) : nan_mask_;
  }
  D elsewhere(D x, W w, W row) const { return (slope_of_sum(x, w) * row).value() + nan_mask_; }
  D entry(D x, W w, D y, D total, D scale, D z_slope) const {
    const D share = (total - y) * scale + z_slope;
    const W others = complement(w), steep = steepness(x);
    W elsewhere = W(share) * (slope_of_sum(x, w) * inverse_);
    W label_entry = W(y * scale) * (others * inverse_ * steep);
    // At probability 0 the slope may be infinite, which has no low part.
    if constexpr (M::has_mantissa)
      label_entry = choose(absolute(steep.hi) < infinity, label_entry, W(y * scale * steep.hi));
    // A factor of zero makes a part zero, even if the other factor is infinite, as 1 / x of a subnormal x.
    elsewhere = choose(share == 0.0, W(D{}), elsewhere);
    label_entry = choose((y == 0.0) | (others.hi == 0.0), W(D{}), label_entry);
    const D rest = (elsewhere - label_entry).value();
    return (absolute(label_entry.hi) < infinity ? rest : -label_entry.hi) + nan_mask_of_gradient();
  }
  // g'_k (sum y + z_slope) / S - y_k g'_k / g_k, where a target's entry is made of the other classes alone.
  // Not inlined: in one function with the loss, softplus-ratio's gradient took a tenth longer.
  __attribute__((noinline)) void differentiate(const Targets& t, D total, D scale, D z_slope) {
    // The gradient of an infinite score's z-loss is infinite, and has no low part.
    const Mask is_endless = absolute(z_slope) == infinity;
    const bool has_endless = has_any(is_endless), is_plain = t.is_plain();
    const D bounded = is_endless ? D{} : z_slope;
    const auto endless = [&](D x, W w) {
      const D slope = (slope_of_sum(x, w) * inverse_).value();
      return is_endless & (slope != 0.0) ? slope * z_slope : D{};
    };
    const W row = inverse_ * W(total * scale + bounded);
    D label_entry{};
    if (is_plain) {
      const D x = label_score(t);
      const W w = label_term(t);
      label_entry = entry(x, w, total, total, scale, bounded);
      if (has_endless) label_entry += endless(x, w);
    }
    for (int64_t step = 0; step < layout_.steps; ++step) {
      const D x = x_(step);
      const W w = term(step);
      D g = is_plain ? elsewhere(x, w, row) : entry(x, w, t(step), total, scale, bounded);
      if (has_endless) g += endless(x, w);
      store(high_ + step * lanes, g);
    }
    if (is_plain) place(t.label, label_entry);
  }
  void place(Mask label, D label_entry) {
    for (int i = 0; i < (layout_.has_row_per_lane ? lanes : 1); ++i)
      high_[layout_.has_row_per_lane ? label[i] * lanes + i : label[i]] = label_entry[i];
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
