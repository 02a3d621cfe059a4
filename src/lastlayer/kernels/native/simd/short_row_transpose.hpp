// Transposes as many short rows as a vector has lanes into one vector per class, and back.
#pragma once

#include "permutations.hpp"
#include "vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Elements per run of 128 bits, which every instruction set can move between memory and any place of a vector.
template <class T>
constexpr int run = int(16 / sizeof(T));

// Loads a vector from runs at address(0), address(1), ...; stores its runs to such addresses.
template <class T, class Address>
LASTLAYER_INLINE Vector<T> load_runs(Address address) {
#if defined(__AVX512F__)
  const auto at = [&](int i) { return _mm_loadu_ps(reinterpret_cast<const float*>(address(i))); };
  __m512 v = _mm512_castps128_ps512(at(0));
  v = _mm512_mask_broadcast_f32x4(v, 0x00f0, at(1));
  v = _mm512_mask_broadcast_f32x4(v, 0x0f00, at(2));
  return (Vector<T>)_mm512_mask_broadcast_f32x4(v, 0xf000, at(3));
#elif defined(__AVX2__)
  const auto at = [&](int i) { return _mm_loadu_ps(reinterpret_cast<const float*>(address(i))); };
  return (Vector<T>)_mm256_insertf128_ps(_mm256_castps128_ps256(at(0)), at(1), 1);
#else
  return load(address(0));
#endif
}
template <class T, class Address>
LASTLAYER_INLINE void store_runs(Address address, Vector<T> v) {
#if defined(__AVX512F__)
  _mm_storeu_ps(reinterpret_cast<float*>(address(0)), _mm512_castps512_ps128((__m512)v));
  _mm_storeu_ps(reinterpret_cast<float*>(address(1)), _mm512_extractf32x4_ps((__m512)v, 1));
  _mm_storeu_ps(reinterpret_cast<float*>(address(2)), _mm512_extractf32x4_ps((__m512)v, 2));
  _mm_storeu_ps(reinterpret_cast<float*>(address(3)), _mm512_extractf32x4_ps((__m512)v, 3));
#elif defined(__AVX2__)
  _mm_storeu_ps(reinterpret_cast<float*>(address(0)), _mm256_castps256_ps128((__m256)v));
  _mm_storeu_ps(reinterpret_cast<float*>(address(1)), _mm256_extractf128_ps((__m256)v, 1));
#else
  store<T>(address(0), v);
#endif
}

// Shuffle tables between vectors that hold rows of `width` numbers one after the other, and vectors with one number of
// every row. Each result is shuffled together from one source after another.
template <class T, int width, bool is_joining>
struct RowPlaces {
  static constexpr int n = Lanes<T>::count;
  typename Lanes<T>::Integer of[width][width][n];

  constexpr RowPlaces() : of{} {
    for (int to = 0; to < width; ++to)
      for (int from = 1; from < width; ++from)
        for (int i = 0; i < n; ++i) {
          const int at = is_joining ? to * n + i : i * width + to;
          const int source = is_joining ? at % width : at / n, place = is_joining ? at / width : at % n;
          // The first two sources in one shuffle, then one more source each time.
          of[to][from][i] = source == from ? n + place : from == 1 ? place : i;
        }
  }
};
template <int width, bool is_joining, class T>
LASTLAYER_INLINE void move_rows(const Vector<T>* from, Vector<T>* to) {
  static constexpr RowPlaces<T, width, is_joining> places;
  for (int i = 0; i < width; ++i) {
    to[i] = from[0];
    for (int source = 1; source < width; ++source) {
      typename Lanes<T>::Integers place;
      __builtin_memcpy(&place, places.of[i][source], sizeof place);
      to[i] = __builtin_shuffle(to[i], from[source], place);
    }
  }
}

// Rows of a matrix with `classes` classes to and from one vector per class.
template <class T>
class ShortRowTranspose {
  using V = Vector<T>;
  static constexpr int n = Lanes<T>::count;

 public:
  // Reads `rows` rows; missing rows repeat the first one.
  static void read(const T* scores, int rows, int64_t classes, T* x) {
    const auto row_or_first = [&](int row) { return scores + (row < rows ? row : 0) * classes; };
    if (rows < n && classes < run<T>) {
      for (int64_t j = 0; j < classes; ++j)
        for (int i = 0; i < n; ++i) x[j * n + i] = row_or_first(i)[j];
    } else if (rows < n) {
      read_runs(classes, x, row_or_first);
    } else if (!with_narrow(classes, [&](auto width) { move_narrow<width.value, false>(scores, x); })) {
      read_runs(classes, x, [&](int row) { return scores + row * classes; });
    }
  }
  // Writes the rows, except those that `skip` marks if it is not null.
  static void write(const T* values, int rows, int64_t classes, T* out, const bool* skip) {
    const auto is_wanted = [&](int row) { return row < rows && !(skip && skip[row]); };
    const bool is_whole = rows == n && !skip;
    if (!is_whole && classes < run<T>) {
      for (int i = 0; i < n; ++i)
        for (int64_t j = 0; is_wanted(i) && j < classes; ++j) out[i * classes + j] = values[j * n + i];
    } else if (!is_whole) {
      T nowhere[run<T>];
      write_runs(values, classes,
                 [&](int row, int64_t at) { return is_wanted(row) ? out + row * classes + at : nowhere; });
    } else if (!with_narrow(classes, [&](auto width) { move_narrow<width.value, true>(values, out); })) {
      write_runs(values, classes, [&](int row, int64_t at) { return out + row * classes + at; });
    }
  }

 private:
  // Calls work(width) and returns true if the rows are so narrow that a few shuffles are fastest.
  template <class Work>
  static bool with_narrow(int64_t classes, Work work) {
    switch (classes) {
      case 1: work(Constant<1>()); return true;
      case 2: work(Constant<2>()); return true;
      case 3: work(Constant<3>()); return true;
      case 4: work(Constant<4>()); return true;
    }
    return false;
  }
  // Splits whole rows into their classes, or joins them again.
  template <int width, bool is_joining>
  static void move_narrow(const T* from, T* to) {
    V before[width], after[width];
    for (int j = 0; j < width; ++j) before[j] = load(from + j * n);
    move_rows<width, is_joining, T>(before, after);
    for (int j = 0; j < width; ++j) store<T>(to + j * n, after[j]);
  }

  // Calls work(at) with the place where each run of a row begins. The last run ends with the row and may overlap the
  // one before.
  template <class Work>
  static void over_runs(int64_t classes, Work work) {
    for (int64_t from = 0; from < classes; from += run<T>) work(from + run<T> <= classes ? from : classes - run<T>);
  }
  template <class Row>
  static void read_runs(int64_t classes, T* x, Row row) {
    over_runs(classes, [&](int64_t at) {
      V group[run<T>];
      for (int i = 0; i < run<T>; ++i) group[i] = load_runs<T>([&](int place) { return row(place * run<T> + i) + at; });
      transpose_by<T, run<T>>(group);
      for (int i = 0; i < run<T>; ++i) store<T>(x + (at + i) * n, group[i]);
    });
  }
  template <class Address>
  static void write_runs(const T* values, int64_t classes, Address address) {
    over_runs(classes, [&](int64_t at) {
      V group[run<T>];
      for (int i = 0; i < run<T>; ++i) group[i] = load(values + (at + i) * n);
      transpose_by<T, run<T>>(group);
      for (int i = 0; i < run<T>; ++i)
        store_runs<T>([&](int place) { return address(place * run<T> + i, at); }, group[i]);
    });
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
