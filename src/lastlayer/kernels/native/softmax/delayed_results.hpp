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
struct RowBehind {
  const T* x;
  T largest{};
  bool is_seen = false;

  void see(int64_t classes) {
    if (x && !is_seen) set(largest_lanes(x, classes));
  }
  void set(Vector<T> lanes) {
    largest = largest_lane<T>(lanes);
    is_seen = true;
  }
};

// The results make(numbers, place) of one row after the other into a stream: those of a row while the next one is
// weighed.
template <class T, class Make>
class RowResults {
 public:
  explicit RowResults(int64_t classes) : classes_(classes) {}

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
  void weigh(LongRow<T>& row, const T* x, T* kept, Fetch<T> fetch, RowBehind<T>& behind) {
    constexpr bool is_total_enough = __is_same(Make, Factor<T>);
    if constexpr (can_stream<T>) {
      if (row_ && behind.x && row.exponents.offset == T(0)) {
        const int64_t first = lines_.begin(row_, classes_, to_, make_);
        Beside<T, Make> beside(row_, first, lines_.line(), make_, behind.x, classes_);
        row.template weigh_beside<is_total_enough>(x, kept, classes_, beside);
        behind.set(beside.largest_lanes());
        beside.write_own();
        lines_.finish(row_, beside.place(), classes_, beside.line(), make_);
        row_ = nullptr;
        return;
      }
    }
    row.template weigh<is_total_enough>(x, kept, classes_, fetch);
    finish();
    behind.see(classes_);
  }

 private:
  __attribute__((noinline)) void finish() {
    if constexpr (can_stream<T>)
      if (row_) lines_.add(row_, classes_, to_, make_);
    row_ = nullptr;
  }

  int64_t classes_;
  const T* row_ = nullptr;
  T* to_ = nullptr;
  Make make_{};
  LineStream<T> lines_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
