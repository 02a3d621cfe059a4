// Results of long rows that are written while the next row is computed.
#pragma once

#include "../simd/nontemporal.hpp"
#include "../simd/vectors.hpp"
#include "long_row.hpp"
#include "overlapped_pass.hpp"
#include "passes.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// The next row, null after the last one, and its largest score once that is known.
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

// Writes the results make(numbers, place) of each row with non-temporal stores, while the next row's terms are
// computed.
template <class T, class Make>
class DelayedResults {
 public:
  explicit DelayedResults(int64_t classes) : classes_(classes) {}

  // Sets the results to write next; the previous ones must have been written.
  void set(const T* row, T* to, Make make) {
    row_ = row;
    to_ = to;
    make_ = make;
  }
  // Writes everything that is left, before a row is computed in another way.
  void close() {
    finish();
    lines_.close();
  }

  // Computes a row's terms, writes the previous row's results, and finds the next row's largest score.
  void compute_terms(LongRow<T>& row, const T* x, T* stored, Prefetch<T> prefetch, NextRow<T>& following) {
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
    row.template compute_terms<is_total_enough>(x, stored, classes_, prefetch);
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
