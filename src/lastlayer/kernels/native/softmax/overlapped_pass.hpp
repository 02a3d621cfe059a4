// Software-pipelined softmax: computes one row's exponentials while storing the previous row's results and finding the
// next row's maximum.
#pragma once

#include "../simd/nontemporal.hpp"
#include "../simd/vectors.hpp"
#include "../thresholds.hpp"
#include "passes.hpp"
#include "terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// The work done while a row's terms are computed, one vector of each per vector of the row: the previous row's results
// are made and written with non-temporal stores, and the next row's maximum is found. Done one after the other,
// arithmetic would wait for memory and memory for arithmetic.
template <class T, class Make>
class OverlappedPass {
  static constexpr int n = Lanes<T>::count;

 public:
  // Results from the place `first` on go to `line`.
  OverlappedPass(const T* before, int64_t first, T* line, Make make, const T* following, int64_t classes)
      : before_(before),
        following_(following),
        first_(first),
        place_(first),
        ahead_((n - offset_in_vector(following)) % n),
        line_(line),
        make_(make) {
    // A maximum may see a score twice.
    largest_[0] = load(following);
    for (int i = 1; i < most; ++i) largest_[i] = load(following + classes - n);
    // The number of scores for which all three rows have whole vectors.
    shared_ = classes - (first_ > ahead_ ? first_ : ahead_);
  }

  // Adds the row's terms from `begin` on to a sum, in the order of add_terms_of_row, and stores them in `out` if
  // `keeps`.
  template <bool keeps, class Sums>
  LASTLAYER_INLINE void compute_terms(const T* x, T* out, int64_t begin, int64_t end,
                                      const RowExponents<T, T>& exponents, Sums& sum) {
    constexpr int count = Sums::unroll, step = count * n;
    static_assert(count <= most);
    // In registers, as in add_terms_of_row.
    Sums here = sum;
    RowExponents<T, T> rows[count];
    Vector<T> largest[count];
    for (int i = 0; i < count; ++i) {
      rows[i] = exponents;
      largest[i] = largest_[i];
    }
    const int64_t whole = begin + (end - begin) / step * step, shared = shared_ / step * step;
    const int64_t last = whole < shared ? whole : shared;
    const T *before = before_ + first_, *following = following_ + ahead_;
    int64_t j = begin;
    for (; j < last; j += step) {
      Vector<T> v[count];
      Terms<T> w[count];
      for (int i = 0; i < count; ++i) v[i] = load(x + j + i * n);
      for (int i = 0; i < count; ++i) in_register(v[i]);
      term_vectors<false, count>(v, rows, w);
      for (int i = 0; i < count; ++i) {
        const int64_t at = j + i * n;
        prefetch_line<PrefetchKind::near>(following + at + thresholds::overlapped_prefetch, nullptr);
        if constexpr (keeps) store<T>(out + at, w[i].hi);
        here.add(w[i]);
        largest[i] = larger(load(following + at), largest[i]);
        store_nontemporal<T>(line_ + at, result(load(before + at), first_ + at));
      }
    }
    if (j > begin) place_ = first_ + j;
    over_vectors(x + j, end - j, -T(infinity), [&](Vector<T> v, int64_t at, int some) __attribute__((always_inline)) {
      const Terms<T> w = compute_term<false>(v, exponents);
      if constexpr (keeps) store_some(out + j + at, w.hi, some);
      here.add(w);
      largest[0] = larger(load_some(following_ + j + at, some, -T(infinity)), largest[0]);
    });
    for (int i = 0; i < count; ++i) largest_[i] = largest[i];
    sum = here;
  }

  // After the last place: the maximum of each lane.
  Vector<T> largest_lanes() const { return larger(larger(largest_[2], largest_[3]), larger(largest_[0], largest_[1])); }
  // The place from which results remain to be made, and where they belong.
  int64_t place() const { return place_; }
  T* line() const { return line_ + (place_ - first_); }
  // Writes the vector with the label again, if it has been written: one extra store takes less time than comparing
  // every vector.
  void write_label_entry() const {
    if constexpr (Make::has_label_entry) {
      if (make_.place < first_ || make_.place >= place_) return;
      const int64_t at = (make_.place - first_) / n * n;
      store_nontemporal<T>(line_ + at, make_(load(before_ + first_ + at), first_ + at));
    }
  }

 private:
  static constexpr int most = 4;
  LASTLAYER_INLINE Vector<T> result(Vector<T> v, int64_t at) const {
    if constexpr (Make::has_label_entry)
      return make_.others(v, at);
    else
      return make_(v, at);
  }

  const T *before_, *following_;
  int64_t first_, place_, ahead_, shared_;  // following_ + ahead_ is a whole vector's address
  T* line_;
  Make make_;
  Vector<T> largest_[most];
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
