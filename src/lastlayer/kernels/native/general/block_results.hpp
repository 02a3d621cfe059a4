// Stores the results of the general blocks, with non-temporal stores if they are large.
#pragma once

#include "../api/requests.hpp"
#include "../simd/elements.hpp"
#include "../simd/nontemporal.hpp"
#include "../thresholds.hpp"
#include "layout.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Stores the results of one block after another, each rounded once.
class BlockResults {
  struct Same {
    static constexpr bool has_label_entry = false;
    LASTLAYER_INLINE Vector<float> operator()(Vector<float> v, int64_t) const { return v; }
  };
  // Results of a whole vector of floats, from at(place, scores) on its two halves.
  template <class At>
  struct Made {
    static constexpr bool has_label_entry = false;
    At at;
    LASTLAYER_INLINE Vector<float> operator()(Vector<float> x, int64_t place) const {
      return joined(narrowed(at(place, widened(low_half(x)))), narrowed(at(place + lanes, widened(high_half(x)))));
    }
  };

 public:
  BlockResults(Element element, bool is_nontemporal, int64_t classes)
      : element_(element),
        is_nontemporal_(can_store_nontemporal<float> && element == Element::float32 && is_nontemporal &&
                        classes > thresholds::row_per_lane_classes) {}
  BlockResults(const BlockResults&) = delete;
  ~BlockResults() {
    if (!is_nontemporal_) return;
    lines_.close();
    fence_nontemporal();
  }

  // Stores a row of results at(place, scores). `out` may be the scores.
  template <class E, class At>
  void make(const E* scores, const Layout& layout, E* out, At at) {
    if (can_store_nontemporal<E> && is_nontemporal_) return write_nontemporal<Made<At>>(scores, layout, out, {at});
    store_each(scores, layout, out, at);
  }
  // The same, except for one entry.
  template <class E, class At>
  void make_but(int64_t entry_place, double entry, const E* scores, const Layout& layout, E* out, At at) {
    if (can_store_nontemporal<E> && is_nontemporal_)
      return write_nontemporal<WithLabelEntry<float, Made<At>>>(scores, layout, out, {{at}, entry_place, float(entry)});
    store_each(scores, layout, out, at);
    store_rounded_one(out + entry_place, entry);
  }
  // Stores the results of the block whose rows begin at `first`, from `x`, which is overwritten.
  LASTLAYER_INLINE void put(void* out, int64_t first, const Layout& layout, double* x) {
    if (is_nontemporal_)
      put_nontemporal(static_cast<float*>(out) + first * layout.classes, layout, x);
    else
      store_block(element_, out, first, layout, x);
  }

 private:
  __attribute__((noinline)) void put_nontemporal(float* out, const Layout& layout, double* x) {
    if constexpr (can_store_nontemporal<float>) {
      store_block(reinterpret_cast<float*>(x), layout, x);
      lines_.add(reinterpret_cast<float*>(x), layout.classes, out, Same{});
    }
  }
  template <class Make, class E>
  void write_nontemporal(const E* scores, const Layout& layout, E* out, Make make) {
    if constexpr (can_store_nontemporal<E>) lines_.add(scores, layout.classes, out, make);
  }
  template <class E, class At>
  static LASTLAYER_INLINE void store_each(const E* scores, const Layout& layout, E* out, At at) {
    int64_t place = 0;
    for (; place + lanes <= layout.classes; place += lanes)
      store_rounded(out + place, at(place, load_wide(scores + place)));
    const int left = int(layout.classes - place);
    if (left) store_rounded_some(out + place, at(place, load_wide_some(scores + place, left)), left);
  }

  Element element_;
  bool is_nontemporal_;
  NonTemporalWriter<float> lines_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
