// Tsallis regularization, Omega(p) = sum(p^a - p) / (a (a - 1)): sparsemax at a = 2, entmax elsewhere. At the optimum p
// = exp_a(x - max + t), exp_a(u) = [1 + (a - 1) u]+^(1 / (a - 1)), with one t <= 0 per row (Peters, Niculae & Martins
// 2019). Vectors out of reach of a positive p are skipped in every pass after the first.
#pragma once

#include "../../api/requests.hpp"
#include "../../arithmetic/double_double.hpp"
#include "../../thresholds.hpp"
#include "../layout.hpp"
#include "../regularized.hpp"
#include "../targets.hpp"
#include "tsallis_powers.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class W, class Power, class X = ScoresCopied>
class Tsallis : public Regularized<W, X> {
  using Base = Regularized<W, X>;
  using Base::layout_;
  using Base::p_;
  using Base::x_;

 public:
  // `share_out` changes p alone, so p must be stored; shorter rows are read so often that a copy in double pays.
  static constexpr bool reads_in_place = !__is_same(Power, AnyPower);
  static constexpr int64_t longest_copy = thresholds::regularized_copy_classes;
  // The same mapping of scores stored elsewhere.
  template <class Other>
  using Of = Tsallis<W, Power, Other>;
  using LabelSlopes = typename Base::template SlopesOf<Tsallis>;
  friend LabelSlopes;

  // `live` has room for one step number per vector.
  Tsallis(const Layout& layout, X x, double* p, double* live, const MappingAt& mapping, int64_t first)
      : Base(layout, x, p), live_(reinterpret_cast<int32_t*>(live)) {
    if (this->needs_edge_path()) return;
    set_rate(mapping, first);
    find_live();
    search();
    polish();
    finish();
  }

  LASTLAYER_INLINE D p_of(D x) const {
    // A test of every vector, which pays if most have no support.
    return has_few_ && !has_any(x >= edge_) ? D{} : value_of(this->difference_of(x), t_).p.value();
  }
  LASTLAYER_INLINE D probabilities_from(int64_t, D x) const { return p_of(x) + this->nan_mask_; }
  LASTLAYER_INLINE D log_probabilities_from(int64_t, D x) const { return this->log_probability(p_of(x)); }

  // Omega*(x) = max + sum p (x - max - u / a), for Omega(p) = sum p u / a.
  D log_partition() const {
    W sum(D{});
    for (int64_t i = 0; i < live_count_; ++i) {
      const D p = load(p_ + live_[i] * lanes);
      const D term = difference(live_[i]).value() - exponent(live_[i]) / (1.0 + rate_);
      sum = sum + W(p > 0.0 ? p * term : D{});
    }
    return (this->is_dominated_ ? splat(infinity) : this->largest_ + layout_.sum(sum).value()) + this->nan_mask_;
  }

  // D(y, p) + sum y max(0, slack): a Bregman divergence, and how far the targets lie below the support; every term >=
  // 0. The gradient overwrites p.
  D loss(const Targets& targets, bool with_gradient, double scale) {
    const D total = targets.total(), factor = targets.factor();
    LossSum<W> sum;
    const auto add = [&](int64_t step) {
      const D p = load(p_ + step * lanes), y = targets(step), u = exponent(step);
      const D edge = -1.0 / rate_, slack = (y != 0.0) & (u < edge) ? y * (edge - u) : D{};
      const D divergence =
          Power::divergence(p, y, this->gap(p, y, total), u < edge ? edge : u, rate_, targets.is_plain());
      const D term = divergence + slack;
      sum.add(W(term < infinity ? term : D{}), term < infinity ? D{} : term);
    };
    const bool is_sparse = targets.is_plain() && !layout_.has_row_per_lane;
    const int64_t label_step = is_sparse ? targets.begin() : 0;
    bool is_label_live = false;
    if (is_sparse) {
      for (int64_t i = 0; i < live_count_; ++i) {
        add(live_[i]);
        is_label_live |= live_[i] == label_step;
      }
      if (!is_label_live) {
        store(p_ + label_step * lanes, D{});
        x_.store_wide(label_step, x_(label_step));
        add(label_step);
      }
    } else {
      for (int64_t step = 0; step < layout_.steps; ++step) add(step);
    }
    D loss = factor * sum.total(layout_);
    const D z_slope = targets.finish(loss, [&] { return log_partition(); });
    if (with_gradient) {
      const auto differentiate = [&](int64_t step) {
        const D p = load(p_ + step * lanes);
        store(
            p_ + step * lanes,
            (factor * this->gap(p, targets(step), total) + this->times_z_slope(p, z_slope)) * scale + this->nan_mask_);
      };
      if (is_sparse && !has_any(this->nan_mask_ != 0.0)) {
        for (int64_t i = 0; i < live_count_; ++i) differentiate(live_[i]);
        if (!is_label_live) differentiate(label_step);
      } else {
        for (int64_t step = 0; step < layout_.steps; ++step) differentiate(step);
      }
    }
    return loss + this->nan_mask_;
  }

 private:
  struct Value {
    W base, p;
  };

  void set_rate(const MappingAt& mapping, int64_t first) {
    D alpha = mapping.row_parameters ? layout_.of_rows(mapping.row_parameters + first) : splat(mapping.parameter);
    if (mapping.row_parameters) {
      // Alphas outside the range give NaN; alpha = 1 is approached as a limit.
      this->nan_mask_ = (alpha >= 1.0) & (alpha < infinity) ? this->nan_mask_ : splat(not_a_number);
      alpha = larger(alpha, splat(1.0 + 0x1p-52));
      alpha = alpha < infinity ? alpha : splat(2.0);
    }
    rate_ = alpha - 1.0;
    is_steep_ = has_any(rate_ > 1.0) || mapping.row_parameters;
  }

  void find_live() {
    edge_ = this->largest_ - 1.0 / rate_;
    for (int64_t step = 0; step < layout_.steps; ++step) {
      if constexpr (X::is_copy) store(p_ + step * lanes, D{});
      // Slightly wider than the support can be, because the subtraction is rounded.
      const D x = x_(step);
      if (!has_any(x >= edge_)) continue;
      live_[live_count_++] = int32_t(step);
      x_.store_wide(step, x);
    }
    has_few_ = thresholds::sparse_share * live_count_ < layout_.steps;
  }

  // For vectors that may have support.
  W difference(int64_t step) const { return this->difference_of(x_.stored(step)); }

  // (1 + (a - 1) u)+ and exp_a(u) at u = x - max + t.
  Value value(int64_t step, W t) const { return value_of(difference(step), t); }
  Value value_of(W difference, W t) const {
    const W below = (difference + t) * W(rate_), base = W(splat(1.0)) + below;
    const Mask is_inside = base.hi > 0.0;
    return {choose(is_inside, base, W(D{})), choose(is_inside, Power::power(base, below, rate_), W(D{}))};
  }

  // Sums over the classes of p and of dp/dt = p^(2 - a) = p / base.
  template <class V>
  void sums(const V& at_step, W& total, D& slope) const {
    total = W(D{});
    slope = D{};
    for (int64_t i = 0; i < live_count_; ++i) {
      const Value v = at_step(live_[i]);
      total = total + v.p;
      slope += Power::slope(v.base.hi, v.p.hi);
    }
    total = layout_.sum(total);
    slope = layout_.sum(slope);
  }

  // Newton's method in a bracket, bisected when a step would leave it, and every second time for a > 2, where p has
  // vertical tangents. In plain double; polish() does the rest. Rows that have converged stay as they are, whatever the
  // other rows of the block still need.
  void search() {
    D low = Power::lowest(double(layout_.classes), rate_), high{}, t{};
    Mask is_done{};
    for (int trip = 0; trip < 200 && has_any(~is_done); ++trip) {
      D total{}, slope{};
      for (int64_t i = 0; i < live_count_; ++i) {
        const D below = rate_ * ((x_.stored(live_[i]) - this->largest_) + t), base = 1.0 + below;
        const D p = base > 0.0 ? Power::power(Double(base), Double(below), rate_).hi : D{};
        total += p;
        slope += Power::slope(base, p);
      }
      total = layout_.sum(total);
      slope = layout_.sum(slope);
      const Mask is_above = total >= 1.0;
      high = is_above & ~is_done ? t : high;
      low = is_above | is_done ? low : t;
      const D newton = t - Power::newton(total, slope, rate_), middle = 0.5 * (low + high);
      const bool is_halving = (is_steep_ || trip > 30) && trip % 2;
      // The bracket is closed: at the root Newton's step is zero, and must not cause a bisection.
      D next = (newton >= low) & (newton <= high) ? newton : middle;
      // Converged exactly, as at once if one class has all mass: another step would only follow rounding errors.
      const Mask is_exact = total == 1.0;
      next = is_exact ? t : is_halving ? middle : next;
      const D moved = absolute(next - t), scale = absolute(t) + 1.0;
      const Mask is_close = is_exact    ? splat_integer(-1)
                            : is_steep_ ? high - low <= 0x1p-52 * scale
                                        : moved <= 0x1p-44 * scale;
      t = is_done ? t : next;
      is_done |= is_close | (this->nan_mask_ != 0.0);
    }
    // For a > 2, the end of the bracket where the sum is at least one: at the other end it may be zero.
    t_ = W(is_steep_ ? high : t);
  }

  // Newton with accurate sums takes t to its last bit. A step counts if it brings the sum closer to one.
  void polish() {
    // For float32 scores the search has far more digits than a result shows.
    if (!W::is_double_double && !is_steep_) return;
    W total;
    D slope;
    const auto excess_at = [&](W t) {
      sums([&](int64_t step) { return value(step, t); }, total, slope);
      return (total - W(splat(1.0))).value();
    };
    D excess = excess_at(t_), step = -excess / slope;
    for (int i = 0; i < (W::is_double_double ? 2 : 1); ++i) {
      const W trial = t_ + W(step);
      const D trial_excess = excess_at(trial);
      const Mask is_better = (absolute(trial_excess) < absolute(excess)) & (trial_excess > -0.5);
      t_ = choose(is_better, trial, t_);
      excess = is_better ? trial_excess : excess;
      step = is_better ? -trial_excess / slope : D{};
    }
    excess_ = excess;
  }

  void finish() {
    for (int64_t i = 0; i < live_count_; ++i) store(p_ + live_[i] * lanes, value(live_[i], t_).p.value());
    // For a > 2 no t of this precision may give a sum of one, because p has vertical tangents: the remaining excess is
    // shared out over p.
    for (int i = 0; is_steep_ && i < 2; ++i) share_out();
    for (int64_t i = 0; i < live_count_; ++i) this->add_to_complement(load(p_ + live_[i] * lanes));
    this->finish_complement();
  }
  void share_out() {
    const auto slope_at = [&](int64_t step, D p) {
      const D base = value(step, t_).base.hi;
      return p > 0.0 ? p / (base > 0.0 ? base : splat(1.0)) : D{};
    };
    D slopes{};
    for (int64_t i = 0; i < live_count_; ++i) slopes += slope_at(live_[i], load(p_ + live_[i] * lanes));
    slopes = layout_.sum(slopes);
    W total(D{});
    for (int64_t i = 0; i < live_count_; ++i) {
      const D p = load(p_ + live_[i] * lanes), moved = p - excess_ * slope_at(live_[i], p) / slopes;
      const D kept = rate_ > 1.0 ? (moved < 0.0 ? D{} : moved) : p;
      store(p_ + live_[i] * lanes, kept);
      total = total + W(kept);
    }
    excess_ = (layout_.sum(total) - W(splat(1.0))).value();
  }

  // u = x - max + t, rounded once.
  D exponent(int64_t step) const {
    const W d = difference(step);
    return d.hi > -infinity ? (d + t_).value() : d.hi;
  }

  int32_t* live_;
  int64_t live_count_ = 0;
  D rate_{}, excess_{}, edge_{};
  bool is_steep_ = false, has_few_ = false;
  W t_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
