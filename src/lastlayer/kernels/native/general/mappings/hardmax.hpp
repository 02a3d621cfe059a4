// Omega = 0: all mass on the largest score; ties share equally.
#pragma once

#include "../../api/requests.hpp"
#include "../../thresholds.hpp"
#include "../layout.hpp"
#include "../regularized.hpp"
#include "../targets.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class W, class X = ScoresCopied>
class Hardmax : public Regularized<W, X> {
  using Base = Regularized<W, X>;

 public:
  static constexpr bool reads_in_place = true;
  static constexpr int64_t longest_copy = thresholds::row_per_lane_classes;
  // The same mapping of scores stored elsewhere.
  template <class Other>
  using Of = Hardmax<W, Other>;
  using LabelSlopes = typename Base::template SlopesOf<Hardmax>;
  friend LabelSlopes;

  Hardmax(const Layout& layout, X x, double* p, double*, const MappingAt&, int64_t) : Base(layout, x, p) {
    if (this->needs_edge_path()) return;
    layout.steps >= thresholds::unrolled_steps ? count<4>() : count<1>();
    if constexpr (X::is_copy)
      for (int64_t step = 0; step < layout.steps; ++step) store(p + step * lanes, p_of(this->x_(step)));
  }

  LASTLAYER_INLINE D p_of(D x) const { return x == this->largest_ ? this->best_ : D{}; }
  LASTLAYER_INLINE D probabilities_from(int64_t, D x) const { return p_of(x) + this->nan_mask_; }
  LASTLAYER_INLINE D log_probabilities_from(int64_t, D x) const { return this->log_probability(p_of(x)); }

  // A row of -inf has a log-partition, though no probabilities.
  D log_partition() const {
    return this->is_nan_ ? splat(not_a_number) : this->is_dominated_ ? splat(infinity) : this->largest_;
  }

  // sum y (max - x): the perceptron loss. The gradient overwrites p.
  D loss(const Targets& targets, bool with_gradient, double scale) {
    const Layout& layout = this->layout_;
    LossSum<W> sum;
    const D total = targets.total(), factor = targets.factor();
    for (int64_t step = targets.begin(); step < targets.end(); ++step) {
      const D y = targets(step);
      const W d = this->difference(step);
      const Mask is_finite = d.hi > -infinity;
      sum.add(choose((y != 0.0) & is_finite, -d * W(y), W(D{})), (y != 0.0) & ~is_finite ? splat(infinity) : D{});
    }
    D loss = factor * sum.total(layout);
    const D z_slope = targets.finish(loss, [&] { return log_partition(); });
    if (with_gradient)
      for (int64_t step = 0; step < layout.steps; ++step) {
        const D p = load(this->p_ + step * lanes), y = targets(step);
        store(this->p_ + step * lanes,
              (factor * this->gap(p, y, total) + this->times_z_slope(p, z_slope)) * scale + this->nan_mask_);
      }
    return loss + this->nan_mask_;
  }

 private:
  template <int unroll>
  void count() {
    D counts[unroll] = {};
    over_steps<unroll>(
        this->layout_,
        [&](int64_t step, int which)
            __attribute__((always_inline)) { counts[which] += this->x_(step) == this->largest_ ? splat(1.0) : D{}; },
        [&](int which) __attribute__((always_inline)) { counts[0] += counts[which]; });
    const D all_of_them = this->layout_.sum(counts[0]);
    this->best_ = 1.0 / all_of_them;
    this->rest_ = (all_of_them - 1.0) * this->best_;
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
