// The regularized family, p = argmax over the simplex of <p, x> - Omega(p): what its mappings share.
#pragma once

#include "../arithmetic/elementary.hpp"
#include "../thresholds.hpp"
#include "layout.hpp"
#include "targets.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class W, class X>
class Regularized {
 public:
  Regularized(const Layout& layout, X x, double* p) : layout_(layout), x_(x), p_(p) {
    layout.steps >= thresholds::unrolled_steps ? find_edges<4>() : find_edges<1>();
  }

  // The row has edge cases that must be overwritten, and its scores are in place: it needs a copy, and nothing else is
  // known.
  bool needs_edge_path() const { return needs_edge_path_; }
  D nan_mask() const { return nan_mask_; }

  void probabilities(double* out) const {
    for (int64_t step = 0; step < layout_.steps; ++step) store(out + step * lanes, load(p_ + step * lanes) + nan_mask_);
  }
  void log_probabilities(double* out) const {
    for (int64_t step = 0; step < layout_.steps; ++step)
      store(out + step * lanes, log_probability(load(p_ + step * lanes)));
  }

 protected:
  // Rows with a NaN, or without any score above -inf, become NaN. Scores of +inf share their row equally.
  template <int unroll>
  void find_edges() {
    D zero[unroll] = {}, largest[unroll];
    for (int which = 0; which < unroll; ++which) largest[which] = splat(-infinity);
    over_steps<unroll>(
        layout_,
        [&](int64_t step, int which) __attribute__((always_inline)) {
          const D x = x_(step);
          zero[which] = fma(x, D{}, zero[which]);
          largest[which] = larger(x, largest[which]);
        },
        [&](int which) __attribute__((always_inline)) {
          zero[0] += zero[which];
          largest[0] = larger(largest[which], largest[0]);
        });
    largest_ = layout_.largest(largest[0]);
    if (has_any(zero[0] != 0.0)) {
      if constexpr (X::is_copy)
        write_edges();
      else
        needs_edge_path_ = true;
    }
    x_.leave_nothing_beyond(layout_);
  }
  void write_edges() {
    Mask is_nan{};
    for (int64_t step = 0; step < layout_.steps; ++step) {
      const D x = x_(step);
      is_nan |= x != x;
      const D shared = x == infinity ? D{} : splat(-infinity);
      x_.set(step, largest_ == infinity ? shared : x);
    }
    is_nan_ = layout_.any(is_nan);
    nan_mask_ = is_nan_ | (largest_ == -infinity) ? splat(not_a_number) : D{};
    is_dominated_ = largest_ == infinity;
    largest_ = is_dominated_ ? D{} : largest_;
  }

  // x - max. It has no low part if it is infinite: at -inf, or between large finite scores.
  W difference_of(D x) const {
    const W d = W::two_sum(x, -largest_);
    return choose(d.hi > -infinity, d, W(d.hi));
  }
  W difference(int64_t step) const { return difference_of(x_(step)); }

  D log_probability(D p) const {
    const D confident = log1p(W(-complement(p))).value(), plain = logarithm(W(p)).value();
    return ((p == best_) & (p > 0.5) ? confident : plain) + nan_mask_;
  }

  // Keeps the largest p apart from the sum of the others.
  void add_to_complement(D p) {
    const Mask is_better = p > best_;
    others_ = others_ + W(is_better ? best_ : p);
    best_ = is_better ? p : best_;
  }
  void finish_complement() {
    if (!layout_.has_row_per_lane) {
      using Two = Layout::Two<W>;
      const auto join = [](Two a, Two b) {
        a.second = a.second + b.second;
        add_apart_from_max(b.first, a.first, a.second);
        return a;
      };
      const Two folded = Layout::joined(Two{W(best_), others_}, join);
      best_ = folded.first.hi;
      others_ = folded.second;
    }
    rest_ = others_.value();
  }
  // 1 - p; for the largest class the sum of the others, which must not vanish while any other has mass.
  D complement(D p) const { return p == best_ ? rest_ : 1.0 - p; }

  // The z-loss part of a gradient. Classes without mass get nothing, even if Z is infinite.
  static D times_z_slope(D p, D z_slope) { return p == 0.0 ? p : z_slope * p; }

  // p - y, where a target's entry is made of the other classes.
  D gap(D p, D y, D total) const { return p * (total - y) - y * complement(p); }

  const Layout& layout_;
  X x_;
  double* p_;
  D nan_mask_{}, largest_{}, best_{}, rest_{};
  Mask is_dominated_{}, is_nan_{};
  bool needs_edge_path_ = false;
  W others_ = W(D{});

 public:
  // The gradient of one row in place, for a plain label without z-loss; point.p_of(x) gives p.
  template <class Point>
  struct SlopesOf {
    const Point& point;
    D total, factor;
    double scale;
    int64_t label;
    double label_entry;
    SlopesOf(const Point& point, const Targets& t, double scale)
        : point(point), total(t.total()), factor(t.factor()), scale(scale), label(t.label[0]) {
      const D p = point.p_of(point.x_.pick(point.layout_, t.label));
      label_entry = ((factor * point.gap(p, total, total)) * scale + point.nan_mask_)[0];
    }
    // The entry of any class but the label, from its score.
    LASTLAYER_INLINE D operator()(int64_t, D x) const {
      return (factor * (point.p_of(x) * total)) * scale + point.nan_mask_;
    }
  };
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
