// What moves numbers between the lanes of vectors: folds, squares that are turned, rows that become columns. Included by rows.hpp.

// The lanes in a circle, by `by` places.
template <int by>
LASTLAYER_INLINE D turned(D v) {
  Mask from{};
  for (int i = 0; i < lanes; ++i) from[i] = (i + by) % lanes;
  return __builtin_shuffle(v, from);
}
template <int by>
LASTLAYER_INLINE Vector<float> turned(Vector<float> v) {
  Lanes<float>::Integers from{};
  for (int i = 0; i < 2 * lanes; ++i) from[i] = (i + by) % (2 * lanes);
  return __builtin_shuffle(v, from);
}

// One value of all lanes, in every lane: by halves, in an order that depends on nothing.
template <class V, class Join, int width = int(sizeof(V) / sizeof(V{}[0])) / 2>
LASTLAYER_INLINE V fold(V v, Join join) {
  if constexpr (width == 0)
    return v;
  else
    return fold<V, Join, width / 2>(join(v, turned<width>(v)), join);
}

// Rows of a square that are `width` apart: swaps the blocks of that many lanes beside its diagonal.
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

// `count` vectors: the squares that each `count` lanes of theirs are.
template <class T, int count = Lanes<T>::count, int width = 1>
LASTLAYER_INLINE void transpose_by(Vector<T>* square) {
  if constexpr (width < count) {
    for (int i = 0; i < count; ++i)
      if (!(i & width)) swap_blocks<width, Vector<T>, typename Lanes<T>::Integers>(square[i], square[i + width]);
    transpose_by<T, count, width * 2>(square);
  }
}

// As many vectors as a vector has lanes: rows become columns.
LASTLAYER_INLINE void transpose(D* square) { transpose_by<double>(square); }
LASTLAYER_INLINE void transpose(Vector<float>* square) { transpose_by<float>(square); }

template <int width>
LASTLAYER_INLINE void swap_lanes(D& a, D& b) { swap_blocks<width, D, Mask>(a, b); }
template <int width>
LASTLAYER_INLINE void swap_lanes(Vector<float>& a, Vector<float>& b) {
  swap_blocks<width, Vector<float>, Lanes<float>::Integers>(a, b);
}
template <class V>
constexpr int lane_count = int(sizeof(V) / sizeof(V{}[0]));
// Of `count` vectors, a power of two, those of all lanes of each: of the first in the first lane, and so on, and again from the
// first where there are more lanes. In an order that is every vector's.
template <int count, int width = 1, class V, class Join>
LASTLAYER_INLINE V fold_each(V* vectors, Join join) {
  if constexpr (width < count) {
    for (int i = 0; i < count; i += 2 * width) {
      swap_lanes<width>(vectors[i], vectors[i + width]);
      vectors[i] = join(vectors[i], vectors[i + width]);
    }
    return fold_each<count, 2 * width>(vectors, join);
  } else if constexpr (width < lane_count<V>) {
    vectors[0] = join(vectors[0], turned<width>(vectors[0]));
    return fold_each<count, 2 * width>(vectors, join);
  } else {
    return vectors[0];
  }
}

// Short runs: 128 bits, which every instruction set moves between memory and any place of a vector.
template <class T>
constexpr int run = int(16 / sizeof(T));

// A vector of the runs at address(0), address(1), ...; and its runs to such addresses.
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

// Vectors that hold rows of `width` numbers one after the other, and vectors of one number each of every row: where what stands in
// one of the first is in the second, and the other way round. A vector of results is made of the sources one by one.
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
          // Of the first two sources at once, then of one more each time.
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
