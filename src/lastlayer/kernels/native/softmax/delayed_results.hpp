// What one long row leaves to the next: results that are still to be written, and the next one's largest score.
#pragma once

#include "../simd/nontemporal.hpp"
#include "../simd/vectors.hpp"
#include "long_row.hpp"
#include "overlapped_pass.hpp"
#include "passes.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// The row behind the one in work, null where there is none, and its largest score when it has been seen.
template <class T>
struct NextRow {
  const T* x;
  T largest{};
  bool is_known = false;

  void find_largest(int64_t classes) {
    if (x && !is_known) set(largest_lanes(x, classes));
  }
  void set(Vector<T> lanes) {
    largest = largest_lane<T>(lanes);
    is_known = true;
  }
};

// The results make(numbers, place) of one row after the other into a stream: those of a row while the next one is
// weighed.
template <class T, class Make>
class DelayedResults {
 public:
  explicit DelayedResults(int64_t classes) : classes_(classes) {}

  // Those of a row that follows the last one, of which nothing is left.
  void set(const T* row, T* to, Make make) {
    row_ = row;
    to_ = to;
    make_ = make;
  }
  // For a row that comes another way.
  void close() {
    finish();
    lines_.close();
  }

  // Weighs a row, writes the results of the one before it, and sees the one behind it.
  void compute_terms(LongRow<T>& row, const T* x, T* stored, Prefetch<T> fetch, NextRow<T>& following) {
    constexpr bool is_total_enough = __is_same(Make, Factor<T>);
    if constexpr (can_store_nontemporal<T>) {
      if (row_ && following.x && row.exponents.offset == T(0)) {
        const int64_t first = lines_.begin(row_, classes_, to_, make_);
        OverlappedPass<T, Make> overlapped(row_, first, lines_.line(), make_, following.x, classes_);
        row.template compute_terms_overlapped<is_total_enough>(x, stored, classes_, overlapped);
        following.set(overlapped.largest_lanes());
        overlapped.write_label_entry();
        lines_.finish(row_, overlapped.place(), classes_, overlapped.line(), make_);
        row_ = nullptr;
        return;
      }
    }
    row.template compute_terms<is_total_enough>(x, stored, classes_, fetch);
    finish();
    following.find_largest(classes_);
  }

 private:
  __attribute__((noinline)) void finish() {
    if constexpr (can_store_nontemporal<T>)
      if (row_) lines_.add(row_, classes_, to_, make_);
    row_ = nullptr;
  }

  int64_t classes_;
  const T* row_ = nullptr;
  T* to_ = nullptr;
  Make make_{};
  NonTemporalWriter<T> lines_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
