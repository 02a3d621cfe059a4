// The normalized family, p = g(x) / sum g(x), for a block of rows. A mapping is a functor that says how g is computed:
// g = mantissa * e^exponent, up to a power of two per row, and whether it is cheap: computing it again takes less time
// than storing it. Loops and edge cases are here; losses are in normalized.hpp.
//
// The largest term is kept apart from the sum of the others: log p and 1 - p of a confident class depend on the others
// alone, which must not vanish in 1 + others.
#pragma once

#include "../api/requests.hpp"
#include "../arithmetic/elementary.hpp"
#include "../thresholds.hpp"
#include "layout.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// What functors know besides the score.
struct Context {
  D scale;     // the row's power of two
  D exponent;  // its exponent
  int order;
};

template <class W, class M, class X>
class NormalizedTerms {
 public:
  // Exponential terms are scaled by 2^lift, so that the smallest ones that matter are normal numbers.
  static constexpr int lift = W::is_double_double && M::has_exponent ? 512 : 0;

  NormalizedTerms(const Layout& layout, X x, double* high, double* low, const MappingAt& mapping, int64_t)
      : layout_(layout), x_(x), high_(high), low_(low) {
    context_.order = int(mapping.parameter);
    has_unobserved_ = mapping.mapping == Mapping::softmax_plus_one;
    // With few vectors, merging unrolled accumulators takes longer than it saves.
    constexpr int unroll = W::is_double_double ? 2 : 4;
    const bool has_many = layout.steps >= thresholds::unrolled_steps_per_copy * unroll;
    has_many ? find_maxima<unroll>() : find_maxima<1>();
    if (!needs_edge_path()) has_many ? compute_terms<unroll>() : compute_terms<1>();
  }

  // The row has edge cases that must be overwritten, and its scores are in place: it needs a copy, and nothing else is
  // known.
  bool needs_edge_path() const { return !X::is_copy && has_infinite_; }
  D nan_mask() const { return nan_mask_; }

  // The results of the classes from `place` on, from their scores x.
  LASTLAYER_INLINE D probabilities_from(int64_t place, D x) const { return probability(term_from(place, x)); }
  LASTLAYER_INLINE D log_probabilities_from(int64_t place, D x) const {
    return log_probability(x, term_from(place, x)).value() + nan_mask_;
  }
  void probabilities(double* out) const {
    for (int64_t step = 0; step < layout_.steps; ++step) store(out + step * lanes, probability(term(step)));
  }
  void log_probabilities(double* out) const {
    for (int64_t step = 0; step < layout_.steps; ++step)
      store(out + step * lanes, log_probability(x_(step), term(step)).value() + nan_mask_);
  }

  // Z = log sum g.
  D log_partition() const {
    const D z = log_total().value();
    return (is_dominated_ ? splat(infinity) : z) + nan_mask_;
  }

 protected:
  using Two = Layout::Two<W>;
  // Cheap terms are computed again instead of stored.
  static constexpr bool stores_terms = X::is_copy || W::is_double_double || !M::is_cheap;
  W term(int64_t step) const {
    if constexpr (stores_terms)
      return read(high_, low_, step);
    else
      return layout_.only_classes(step, term_at(x_(step)));
  }
  LASTLAYER_INLINE W term_from(int64_t place, D x) const {
    if constexpr (!stores_terms) return term_at(x);
    if constexpr (W::is_double_double) return W(load(high_ + place), load(low_ + place));
    return W(load(high_ + place));
  }
  LASTLAYER_INLINE D probability(W w) const { return (w * inverse_).value() + nan_mask_; }
  static W read(const double* high, const double* low, int64_t step) {
    if constexpr (W::is_double_double) return W(load(high + step * lanes), load(low + step * lanes));
    return W(load(high + step * lanes));
  }
  void write(int64_t step, W w) {
    store(high_ + step * lanes, w.hi);
    if constexpr (W::is_double_double) store(low_ + step * lanes, w.low());
  }

  // Rows with a NaN become NaN. Classes with an infinite g share their row. In other rows -inf means "no term".
  template <int unroll>
  void find_maxima() {
    D zero[unroll] = {}, lowest[unroll] = {};
    Maxima maxima[unroll];
    over_steps<unroll>(
        layout_,
        [&](int64_t step, int which) __attribute__((always_inline)) {
          const D x = x_(step);
          zero[which] = fma(x, D{}, zero[which]);
          if constexpr (M::is_positive) lowest[which] = smaller(x, lowest[which]);
          maxima[which].include(x);
        },
        [&](int which) __attribute__((always_inline)) {
          zero[0] += zero[which];
          lowest[0] = smaller(lowest[which], lowest[0]);
          maxima[0].join(maxima[which]);
        });
    if constexpr (M::is_positive) nan_mask_ = layout_.any(lowest[0] < 0.0) ? splat(not_a_number) : D{};
    if (has_any(zero[0] != 0.0)) {
      has_infinite_ = true;
      if constexpr (X::is_copy) {
        find_edges();
        maxima[0] = Maxima();
        for (int64_t step = 0; step < layout_.steps; ++step) maxima[0].include_finite(substituted(x_(step)));
      }
    }
    set_maxima(maxima[0]);
  }
  void find_edges() {
    Mask is_nan{}, is_up{};
    for (int64_t step = 0; step < layout_.steps; ++step) {
      const D x = x_(step);
      is_nan |= x != x;
      is_up |= dominates(x);
    }
    is_dominated_ = layout_.any(is_up);
    nan_mask_ = layout_.any(is_nan) ? splat(not_a_number) : nan_mask_;
  }
  static Mask dominates(D x) {
    Mask mask{};
    if (M::high == infinity) mask |= x == infinity;
    if (M::low == infinity) mask |= x == -infinity;
    return mask;
  }
  Mask has_term(D x) const {
    const Mask is_above = x != -infinity;
    // Scores in place are finite: see needs_edge_path().
    if constexpr (!X::is_copy) return is_above;
    return has_infinite_ ? (is_dominated_ & dominates(x)) | (~is_dominated_ & is_above) : is_above;
  }
  // The scores whose terms are computed. If infinite classes share the row, any number serves.
  D substituted(D x) const { return has_infinite_ ? (is_dominated_ ? splat(1.0) : x) : x; }

  // What terms are relative to.
  struct Maxima {
    D exponent = splat(-infinity), size = splat(-infinity);
    LASTLAYER_INLINE void include(D x) {
      if constexpr (M::has_exponent) exponent = larger(M::exponent(x), exponent);
      if constexpr (M::has_scale) size = larger(M::size(x), size);
    }
    // In a row with scores of -inf, which have no size.
    void include_finite(D x) {
      if constexpr (M::has_exponent) exponent = larger(M::exponent(x), exponent);
      if constexpr (M::has_scale) size = larger(x != -infinity ? M::size(x) : splat(-infinity), size);
    }
    void join(const Maxima& other) {
      exponent = larger(other.exponent, exponent);
      size = larger(other.size, size);
    }
  };
  void set_maxima(const Maxima& maxima) {
    if constexpr (M::has_exponent) {
      const D exponent = layout_.largest(maxima.exponent);
      // The unobserved outcome has score 0 and takes part in the maximum.
      max_exponent_ = has_unobserved_ ? larger(exponent, D{}) : exponent;
    }
    if constexpr (M::has_scale) set_scale(M::reference(layout_.largest(maxima.size)));
  }

  template <int unroll>
  void compute_terms() {
    W best_of[unroll], others_of[unroll];
    for (int which = 0; which < unroll; ++which) best_of[which] = others_of[which] = W(D{});
    over_steps<unroll>(
        layout_,
        [&](int64_t step, int which) __attribute__((always_inline)) {
          const D x = x_(step);
          W w = term_at(substituted(x));
          if (has_infinite_) w = choose(has_term(x), w, W(D{}));
          w = layout_.only_classes(step, w);
          if constexpr (stores_terms) write(step, w);
          add_apart_from_max(w, best_of[which], others_of[which]);
        },
        [&](int which) __attribute__((always_inline)) {
          others_of[0] = others_of[0] + others_of[which];
          add_apart_from_max(best_of[which], best_of[0], others_of[0]);
        });
    W best = best_of[0], others = others_of[0];
    if (!layout_.has_row_per_lane) {
      const auto join = [](Two a, Two b) {
        a.second = a.second + b.second;
        add_apart_from_max(b.first, a.first, a.second);
        return a;
      };
      const Two folded = Layout::joined(Two{best, others}, join);
      best = folded.first;
      others = folded.second;
    }
    if constexpr (!M::has_mantissa)
      if (has_unobserved_) {
        W unobserved = exponential<lift>(W(-max_exponent_));
        // If a class is infinite nothing is left for the unobserved outcome.
        unobserved = choose(is_dominated_, W(D{}), unobserved);
        add_apart_from_max(unobserved, best, others);
      }
    best_ = best;
    others_ = others;
    total_ = best + others;
    inverse_ = W(splat(1.0)) / total_;
    if constexpr (M::needs_positive_sum) nan_mask_ = total_.hi == 0.0 ? splat(not_a_number) : nan_mask_;
  }

  void set_scale(D reference) {
    // 2^-k for the exponent k of the reference, limited for subnormal and huge ones.
    const Bits biased = ((Bits)reference >> 52) & 0x7ff;
    const Mask field = (Mask)biased;
    const Mask kept = field < 3 ? splat_integer(3) : field > 2043 ? splat_integer(2043) : field;
    context_.scale = (D)((Bits)(2046 - kept) << 52);
    context_.exponent = (D)((Bits)(2046 - kept) | 0x4330000000000000ull) - 0x1p52 - 1023.0;
  }

  W term_at(D x) const {
    if constexpr (!M::has_exponent) {
      return M::template mantissa<W>(x, context_);
    } else {
      const W power = exponential<lift>(W::two_sum(M::exponent(x), -max_exponent_));
      if constexpr (M::has_mantissa)
        return M::template mantissa<W>(x, context_) * power;
      else
        return power;
    }
  }

  // log of the total, without scaling.
  W log_total() const {
    const W log_sum = M::has_mantissa ? logarithm(total_, splat(-double(lift))) : log1p(others_ / best_);
    W result = M::has_exponent ? W(max_exponent_) + log_sum : log_sum;
    if constexpr (M::has_scale) {
      const D k = M::log2_scale(context_);
      result = result - (W(k * ln2_high) + W(k * ln2_low));
    }
    // If no class has a term: log 0, where the correction would make it NaN.
    return choose(total_.hi == 0.0, W(splat(-infinity)), result);
  }

  // log p of classes with scores x and terms w.
  W log_probability(D x, W w) const {
    const W of_largest = -log1p(others_ / best_);
    W rest;
    if constexpr (!M::has_mantissa) {
      const W difference = W::two_sum(x, -max_exponent_);
      // A difference of large finite scores may be infinite; then it has no rounding error to keep.
      rest = choose(absolute(difference.hi) < infinity, difference + of_largest, W(difference.hi));
    } else {
      const W m = M::has_exponent ? M::template mantissa<W>(x, context_) : w;
      const W quotient = m * scaled(inverse_, splat(lift ? 0x1p512 : 1.0));
      rest = logarithm(quotient);
      if constexpr (M::has_exponent) rest = W::two_sum(M::exponent(x), -max_exponent_) + rest;
      // The quotient underflows where its logarithm is still a normal number.
      const Mask is_tiny = (quotient.hi < 0x1p-960) & has_term(x);
      if (has_any(is_tiny)) {
        const W log_g = M::template log_g<W>(x, context_);
        rest = choose(is_tiny, choose(log_g.hi == -infinity, log_g, log_g - log_total()), rest);
      }
    }
    rest = choose(has_term(x), rest, W(splat(-infinity)));
    if (has_infinite_) rest = choose(has_term(x) | ~(total_.hi == 0.0), rest, W(splat(not_a_number)));
    return choose(is_same(w, best_), of_largest, rest);
  }

  const Layout& layout_;
  X x_;
  double *high_, *low_;
  Context context_{splat(1.0), D{}, 0};
  D nan_mask_{}, max_exponent_{};
  Mask is_dominated_{};
  bool has_infinite_ = false;
  bool has_unobserved_ = false;  // softmax-plus-one
  W best_, others_, total_, inverse_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
