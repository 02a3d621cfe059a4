// Non-temporal stores: results larger than the caches go straight to memory, which is then not read before it is
// written.
#pragma once

#include "../thresholds.hpp"
#include "vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Only for float32 in wide vectors; other kernels take longer to compute than memory takes to store.
template <class T>
constexpr bool can_store_nontemporal = sizeof(T) == 4 && LASTLAYER_BYTES > 16;
template <class T, class Request>
bool is_nontemporal(const Request& r) {
  return can_store_nontemporal<T> && r.is_nontemporal;
}

// The address must be that of a whole vector. A cache line that is only partly written costs a read.
template <class T>
LASTLAYER_INLINE void store_nontemporal(T* to, Vector<T> v) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), (__m512i)v);
#elif defined(__AVX2__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), (__m256i)v);
#else
  store<T>(to, v);
#endif
}

// After the last non-temporal store: makes the results visible to other threads.
LASTLAYER_INLINE void fence_nontemporal() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

// How many elements an address lies behind that of a whole vector.
template <class T>
LASTLAYER_INLINE int offset_in_vector(const T* address) {
  return int(reinterpret_cast<uintptr_t>(address) % sizeof(Vector<T>) / sizeof(T));
}

// The results of a row's vectors, except for one entry at one place: the label's.
template <class T, class Others>
struct WithLabelEntry {
  static constexpr bool has_label_entry = true;
  Others others;
  int64_t place;
  T entry;
  LASTLAYER_INLINE Vector<T> operator()(Vector<T> v, int64_t first) const {
    return place_numbers<T>() == typename Lanes<T>::Integer(place - first) ? splat(entry) : others(v, first);
  }
};

// Writes rows that follow each other in memory with whole non-temporal vectors, also across the end of one row and the
// start of the next.
template <class T>
class NonTemporalWriter {
  using V = Vector<T>;
  static constexpr int n = Lanes<T>::count;

 public:
  // Adds a whole row of results make(numbers, place of the first). They follow those added last, or begin at `to` after
  // close(). A first row has at least one whole vector; before any other row, n numbers can be read.
  template <class Make>
  LASTLAYER_INLINE void add(const T* row, int64_t count, T* to, Make make) {
    const int64_t first = begin(row, count, to, make);
    if (first <= count) finish(row, first, count, line_, make);
  }

  // The same in two steps, for a caller that writes whole vectors in between. begin() returns the place from which
  // results go to line() and behind it, which lies beyond the row if there are none. finish() writes the results from a
  // place on to `line`.
  template <class Make>
  LASTLAYER_INLINE int64_t begin(const T* row, int64_t count, T* to, Make make) {
    if (!line_) open(to);
    if (held_count_ == 0) return 0;
    const int64_t first = -held_count_;
    const V v =
        place_numbers<T>() < held_count_ ? held_ : make(not_ours_ ? load_behind(row) : load(row + first), first);
    if (first + n > count) {
      held_ = v;
      held_count_ += int(count);
      return count + 1;
    }
    if (not_ours_)
      store_lanes(v, n);
    else
      store_nontemporal<T>(line_, v);
    not_ours_ = 0;
    line_ += n;
    return first + n;
  }
  T* line() const { return line_; }
  template <class Make>
  LASTLAYER_INLINE void finish(const T* row, int64_t j, int64_t end, T* line, Make make) {
    const auto store_whole = [&](int64_t last, auto each) __attribute__((always_inline)) {
      for (; j + n <= last; j += n, line += n) store_nontemporal<T>(line, each(load(row + j), j));
    };
    if constexpr (Make::has_label_entry) {
      // Only one vector holds the label. In a short row finding it takes longer than comparing every vector.
      if (end - j >= thresholds::label_lookup_vectors * n) {
        if (make.place >= j && make.place < j + ((end - j) & -n)) {
          store_whole(j + ((make.place - j) & -n), make.others);
          store_whole(j + n, make);
        }
        store_whole(end, make.others);
      }
    }
    store_whole(end, make);
    line_ = line;
    held_count_ = int(end - j);
    if (held_count_ > 0) held_ = make(load_some(row + j, held_count_, T(0)), j);
  }

  // Writes the last part of a vector, and gets ready for rows elsewhere.
  void close() {
    if (line_) store_lanes(held_, held_count_);
    line_ = nullptr;
  }

 private:
  void open(T* to) {
    not_ours_ = held_count_ = offset_in_vector(to);
    line_ = to - not_ours_;
  }
  V load_behind(const T* from) const {
    T numbers[n] = {};
    for (int i = held_count_; i < n; ++i) numbers[i] = from[i - held_count_];
    return load(numbers);
  }
  void store_lanes(V v, int end) const {
    for (int i = not_ours_; i < end; ++i) line_[i] = v[i];
  }

  T* line_ = nullptr;  // where the held vector belongs; its first lanes may be others' results
  V held_{};
  int held_count_ = 0, not_ours_ = 0;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
