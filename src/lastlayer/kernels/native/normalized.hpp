// The normalized family's losses and their gradients: log loss of labels or soft targets, with the z-loss. Included by rows.hpp.

template <class W, class M, class X = ScoresCopied>
class Normalized : public NormalizedWeights<W, M, X> {
  using Base = NormalizedWeights<W, M, X>;
  using Base::at_, Base::best_, Base::context_, Base::has_infinite_, Base::high_, Base::inverse_, Base::is_dominated_, Base::low_;
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
    D pull{};
    if (targets.request.z_loss != 0.0) {
      const D z = log_partition();
      loss += targets.row_weight * (targets.request.z_loss * z * z);
      pull = targets.row_weight * (2.0 * targets.request.z_loss * z);
    }
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
    LASTLAYER_INLINE D operator()(int64_t place, D x) const { return rows.elsewhere(x, rows.weight_from(place, x), row); }
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
      return has_infinite_ ? choose(has_weight(x), steep, W(D{})) : steep;
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
    const D loss = absolute(log_p.hi) < infinity ? (-log_p * W(y)).value() : -log_p.hi * y;
    return y != 0.0 ? loss : D{};
  }
  D soft_loss(const Targets& t) const {
    W sum(D{});
    D beyond{};
    for (int64_t step = 0; step < at_.steps; ++step) {
      const D y = t(step);
      W log_p = log_probability(x_(step), weight(step));
      const Mask is_term = y != 0.0, is_finite = absolute(log_p.hi) < infinity;
      // The Fenchel-Young loss of softmax is cross-entropy - H(y). An infinite logarithm has no low part to subtract from.
      if constexpr (M::is_fenchel_young)
        log_p = choose(is_finite, log_p - logarithm(W(y > 0.0 ? y : all(1.0))), log_p);
      sum = sum + choose(is_term & is_finite, -log_p * W(y), W(D{}));
      beyond += is_term & ~is_finite ? -log_p.hi : D{};
    }
    return at_.sum(sum).value() + at_.sum(beyond);
  }

  D elsewhere(D x, W w, W row) const { return (slope_of_sum(x, w) * row).value() + poison_; }
  D entry(D x, W w, D y, D total, D scale, D pull) const {
    const W elsewhere = W((total - y) * scale + pull) * (slope_of_sum(x, w) * inverse_);
    const W steep = steepness(x);
    W own = W(y * scale) * (complement(w) * inverse_ * steep);
    // A class of probability 0 may be infinitely steep, which has no low part.
    if constexpr (M::has_mantissa) own = choose(absolute(steep.hi) < infinity, own, W(y * scale * steep.hi));
    const D rest = (elsewhere - choose(y != 0.0, own, W(D{}))).value();
    return (absolute(own.hi) < infinity ? rest : y != 0.0 ? -own.hi : elsewhere.value()) + poison_;
  }
  // g'_k (sum y + pull) / S - y_k g'_k / g_k, with the target's own entry made of the other classes alone.
  void differentiate(const Targets& t, D total, D scale, D pull) {
    const bool is_plain = t.is_plain(), is_endless = has_any(absolute(pull) == infinity);
    const W row = inverse_ * W(total * scale + pull);
    const D own = is_plain ? entry(label_score(t), label_weight(t), total, total, scale, pull) : D{};
    for (int64_t step = 0; step < at_.steps; ++step) {
      const D x = x_(step);
      const W w = weight(step);
      D g = is_plain ? elsewhere(x, w, row) : entry(x, w, t(step), total, scale, pull);
      // The z-loss of an infinite score pulls without bound, which has no low part.
      if (is_endless) g = absolute(pull) < infinity ? g : (slope_of_sum(x, w) * inverse_).value() * pull;
      store(high_ + step * lanes, g);
    }
    if (is_plain) place(t.label, own, is_endless ? absolute(pull) == infinity : Mask{});
  }
  void place(Mask label, D own, Mask is_placed) {
    for (int i = 0; i < (at_.is_across ? lanes : 1); ++i)
      if (!is_placed[i]) high_[at_.is_across ? label[i] * lanes + i : label[i]] = own[i];
  }
};
