// Results of blocks of rows to where they belong: past the caches where they are many.
#pragma once

#include "../simd/elements.hpp"
#include "../simd/nontemporal.hpp"
#include "../thresholds.hpp"
#include "layout.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// The results of one block after the other to where they belong, each rounded once.
template <class E>
class BlockResults {
  struct Same {
    static constexpr bool has_label_entry = false;
    LASTLAYER_INLINE Vector<float> operator()(Vector<float> v, int64_t) const { return v; }
  };
  // Of whole vectors of scores, from results of halves at(place, scores).
  template <class At>
  struct Made {
    static constexpr bool has_label_entry = false;
    At at;
    LASTLAYER_INLINE Vector<float> operator()(Vector<float> x, int64_t place) const {
      return joined(narrowed(at(place, widened(low_half(x)))), narrowed(at(place + lanes, widened(high_half(x)))));
    }
  };

 public:
  BlockResults(bool is_nontemporal, int64_t classes)
      : is_nontemporal_(can_store_nontemporal<E> && is_nontemporal && classes > thresholds::row_per_lane_classes) {}
  BlockResults(const BlockResults&) = delete;
  ~BlockResults() {
    if (!is_nontemporal_) return;
    lines_.close();
    fence_nontemporal();
  }

  // Those of a row, at(place, scores) of every vector, from its scores to where they belong; it may be the same place.
  template <class At>
  void make(const E* scores, const Layout& layout, E* out, At at) {
    if (is_nontemporal_) return write_nontemporal<Made<At>>(scores, layout, out, {at});
    store_each(scores, layout, out, at);
  }
  // The same but for one class.
  template <class At>
  void make_but(int64_t own_place, double own, const E* scores, const Layout& layout, E* out, At at) {
    if (is_nontemporal_)
      return write_nontemporal<WithLabelEntry<float, Made<At>>>(scores, layout, out, {{at}, own_place, float(own)});
    store_each(scores, layout, out, at);
    store_rounded_one(out + own_place, own);
  }
  // From `x`, which does not keep them.
  void put(E* out, const Layout& at, double* x) {
    if (!is_nontemporal_) return store_block(out, at, x);
    if constexpr (can_store_nontemporal<E>) {
      store_block(reinterpret_cast<E*>(x), at, x);
      lines_.add(reinterpret_cast<E*>(x), at.classes, out, Same{});
    }
  }

 private:
  template <class Make>
  void write_nontemporal(const E* scores, const Layout& layout, E* out, Make make) {
    if constexpr (can_store_nontemporal<E>) lines_.add(scores, layout.classes, out, make);
  }
  template <class At>
  static LASTLAYER_INLINE void store_each(const E* scores, const Layout& layout, E* out, At at) {
    int64_t place = 0;
    for (; place + lanes <= layout.classes; place += lanes)
      store_rounded(out + place, at(place, load_wide(scores + place)));
    const int left = int(layout.classes - place);
    if (left) store_rounded_some(out + place, at(place, load_wide_some(scores + place, left)), left);
  }

  bool is_nontemporal_;
  NonTemporalWriter<float> lines_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
