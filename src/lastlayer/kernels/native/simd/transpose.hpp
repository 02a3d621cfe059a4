// Transposes a matrix, square by square.
#pragma once

#include "../api/requests.hpp"
#include "../thresholds.hpp"
#include "nontemporal.hpp"
#include "permutations.hpp"
#include "vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T, bool is_nontemporal>
void transpose_matrix(const Transposition& r) {
  constexpr int n = Lanes<T>::count;
  // A strip of squares next to each other in the result makes the writes contiguous. The reads are too far apart for
  // the hardware prefetcher, so they are prefetched here.
  constexpr int64_t strip = thresholds::transpose_strip_rows, ahead = thresholds::transpose_prefetch_squares * n;
  const T* from = static_cast<const T*>(r.from);
  T* to = static_cast<T*>(r.to);
  const int64_t rows = r.rows / n * n, columns = r.columns / n * n;
  for (int64_t first = 0; first < rows; first += strip)
    for (int64_t j = 0; j < columns; j += n)
      for (int64_t i = first; i < first + strip && i < rows; i += n) {
        Vector<T> square[n];
        for (int k = 0; k < n; ++k) square[k] = load(from + (i + k) * r.from_stride + j);
        if (i + ahead + n <= rows)
          for (int k = 0; k < n; ++k) __builtin_prefetch(from + (i + ahead + k) * r.from_stride + j);
        transpose(square);
        for (int k = 0; k < n; ++k) {
          T* place = to + (j + k) * r.to_stride + i;
          is_nontemporal ? store_nontemporal<T>(place, square[k]) : store<T>(place, square[k]);
        }
      }
  for (int64_t i = 0; i < r.rows; ++i)
    for (int64_t j = i < rows ? columns : 0; j < r.columns; ++j) to[j * r.to_stride + i] = from[i * r.from_stride + j];
  if (is_nontemporal) fence_nontemporal();
}

template <class T>
void transpose_of(const Transposition& r) {
  const bool is_aligned =
      reinterpret_cast<uintptr_t>(r.to) % sizeof(Vector<T>) == 0 && r.to_stride % Lanes<T>::count == 0;
  r.is_nontemporal&& is_aligned ? transpose_matrix<T, true>(r) : transpose_matrix<T, false>(r);
}

void transpose_rows(const Transposition& r) {
  r.element == Element::float64 ? transpose_of<double>(r) : transpose_of<float>(r);
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
