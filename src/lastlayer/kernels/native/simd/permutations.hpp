// Moves numbers between the lanes of vectors: rotations, reductions, transposes of squares.
#pragma once

#include "vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Rotates the lanes by `by` places.
template <int by>
LASTLAYER_INLINE D rotated(D v) {
  Mask from{};
  for (int i = 0; i < lanes; ++i) from[i] = (i + by) % lanes;
  return __builtin_shuffle(v, from);
}
template <int by>
LASTLAYER_INLINE Vector<float> rotated(Vector<float> v) {
  Lanes<float>::Integers from{};
  for (int i = 0; i < 2 * lanes; ++i) from[i] = (i + by) % (2 * lanes);
  return __builtin_shuffle(v, from);
}

// Reduces a vector over its lanes, by halves, in a fixed order; every lane holds the result.
template <class V, class Join, int width = int(sizeof(V) / sizeof(V{}[0])) / 2>
LASTLAYER_INLINE V fold(V v, Join join) {
  if constexpr (width == 0)
    return v;
  else
    return fold<V, Join, width / 2>(join(v, rotated<width>(v)), join);
}

// One step of a square's transpose: swaps the off-diagonal blocks of `width` lanes of two rows that are `width` apart.
template <int width, class V, class Places>
LASTLAYER_INLINE void swap_blocks(V& a, V& b) {
  constexpr int n = int(sizeof(V) / sizeof(V{}[0]));
  Places from_a{}, from_b{};
  for (int i = 0; i < n; ++i) {
    const int place = i & width ? (i & ~width) + n : i;
    from_a[i] = place;
    from_b[i] = place + width;
  }
  const V first = __builtin_shuffle(a, b, from_a), second = __builtin_shuffle(a, b, from_b);
  a = first;
  b = second;
}

// Transposes the squares that each `count` lanes of `count` vectors form.
template <class T, int count = Lanes<T>::count, int width = 1>
LASTLAYER_INLINE void transpose_by(Vector<T>* square) {
  if constexpr (width < count) {
    for (int i = 0; i < count; ++i)
      if (!(i & width)) swap_blocks<width, Vector<T>, typename Lanes<T>::Integers>(square[i], square[i + width]);
    transpose_by<T, count, width * 2>(square);
  }
}

// Transposes a square of as many vectors as a vector has lanes.
LASTLAYER_INLINE void transpose(D* square) { transpose_by<double>(square); }
LASTLAYER_INLINE void transpose(Vector<float>* square) { transpose_by<float>(square); }

template <int width>
LASTLAYER_INLINE void swap_lanes(D& a, D& b) {
  swap_blocks<width, D, Mask>(a, b);
}
template <int width>
LASTLAYER_INLINE void swap_lanes(Vector<float>& a, Vector<float>& b) {
  swap_blocks<width, Vector<float>, Lanes<float>::Integers>(a, b);
}
template <class V>
constexpr int lane_count = int(sizeof(V) / sizeof(V{}[0]));
// Reduces each of `count` vectors (a power of two) over its lanes; lane i holds the result of vector i mod count. Every
// vector is reduced in the same order.
template <int count, int width = 1, class V, class Join>
LASTLAYER_INLINE V fold_each(V* vectors, Join join) {
  if constexpr (width < count) {
    for (int i = 0; i < count; i += 2 * width) {
      swap_lanes<width>(vectors[i], vectors[i + width]);
      vectors[i] = join(vectors[i], vectors[i + width]);
    }
    return fold_each<count, 2 * width>(vectors, join);
  } else if constexpr (width < lane_count<V>) {
    vectors[0] = join(vectors[0], rotated<width>(vectors[0]));
    return fold_each<count, 2 * width>(vectors, join);
  } else {
    return vectors[0];
  }
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
