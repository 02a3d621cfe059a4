// Loads elements of any type as vectors of doubles, and stores doubles rounded once. Half types as vectors of float.
#pragma once

#include "half_types.hpp"
#include "vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class E>
constexpr bool is_half = sizeof(E) == 2;

// Loads and stores n elements of a half type, or only the first `count`; the other lanes are zero.
template <int n, class E>
LASTLAYER_INLINE typename Singles<n>::Halves load_halves(const E* from) {
  typename Singles<n>::Halves h;
  __builtin_memcpy(&h, from, sizeof h);
  return h;
}
template <int n, class E>
LASTLAYER_INLINE void store_halves(E* to, typename Singles<n>::Halves h) {
  __builtin_memcpy(to, &h, sizeof h);
}
template <int n, class E>
LASTLAYER_INLINE typename Singles<n>::Halves load_halves_some(const E* from, int count) {
#if defined(__AVX512F__)
  if constexpr (n == 16)
    return (typename Singles<n>::Halves)_mm256_maskz_loadu_epi16(__mmask16((1u << count) - 1), from);
  if constexpr (n == 8) return (typename Singles<n>::Halves)_mm_maskz_loadu_epi16(__mmask8((1u << count) - 1), from);
#endif
  E padded[n] = {};
  for (int i = 0; i < count; ++i) padded[i] = from[i];
  return load_halves<n>(padded);
}
template <int n, class E>
LASTLAYER_INLINE void store_halves_some(E* to, typename Singles<n>::Halves h, int count) {
#if defined(__AVX512F__)
  if constexpr (n == 16) return _mm256_mask_storeu_epi16(to, __mmask16((1u << count) - 1), (__m256i)h);
  if constexpr (n == 8) return _mm_mask_storeu_epi16(to, __mmask8((1u << count) - 1), (__m128i)h);
#endif
  E padded[n];
  store_halves<n>(padded, h);
  for (int i = 0; i < count; ++i) to[i] = padded[i];
}

template <class E>
LASTLAYER_INLINE D load_wide(const E* from) {
  if constexpr (is_half<E>) {
    return widened(Coding<E, lanes>::widen(load_halves<lanes>(from)));
  } else if constexpr (sizeof(E) == 4) {
    Floats v;
    __builtin_memcpy(&v, from, sizeof v);
    return widened(v);
  } else {
    return load(from);
  }
}
template <class E>
LASTLAYER_INLINE void store_rounded(E* to, D v) {
  if constexpr (is_half<E>) {
    store_halves<lanes>(to, Coding<E, lanes>::round(round_to_odd(v)));
  } else if constexpr (sizeof(E) == 4) {
    const Floats f = narrowed(v);
    __builtin_memcpy(to, &f, sizeof f);
  } else {
    store(to, v);
  }
}

// Loads and stores only the first `count` elements; the other lanes are zero, and nothing beyond is read or written.
template <class E>
LASTLAYER_INLINE D load_wide_some(const E* from, int count) {
  if constexpr (is_half<E>) {
    return widened(Coding<E, lanes>::widen(load_halves_some<lanes>(from, count)));
  } else {
#if defined(__AVX512F__)
    const __mmask8 mask = __mmask8((1u << count) - 1);
    if constexpr (sizeof(E) == 4)
      return widened(_mm256_maskz_loadu_ps(mask, from));
    else
      return _mm512_maskz_loadu_pd(mask, from);
#else
    E padded[lanes] = {};
    for (int i = 0; i < count; ++i) padded[i] = from[i];
    return load_wide(padded);
#endif
  }
}
template <class E>
LASTLAYER_INLINE void store_rounded_some(E* to, D v, int count) {
  if constexpr (is_half<E>) {
    store_halves_some<lanes>(to, Coding<E, lanes>::round(round_to_odd(v)), count);
  } else {
#if defined(__AVX512F__)
    const __mmask8 mask = __mmask8((1u << count) - 1);
    if constexpr (sizeof(E) == 4)
      _mm256_mask_storeu_ps(to, mask, narrowed(v));
    else
      _mm512_mask_storeu_pd(to, mask, v);
#else
    E padded[lanes];
    store_rounded(padded, v);
    for (int i = 0; i < count; ++i) to[i] = padded[i];
#endif
  }
}

// A single element.
template <class E>
inline double load_wide_one(const E* from) {
  return load_wide_some(from, 1)[0];
}
template <class E>
inline void store_rounded_one(E* to, double x) {
  store_rounded_some(to, splat(x), 1);
}

// Widens an array of a half type to float, and rounds one to a half type.
template <class E>
inline void widen_all(const E* from, float* to, int64_t count) {
  constexpr int n = Lanes<float>::count;
  int64_t j = 0;
  for (; j + n <= count; j += n) store<float>(to + j, Coding<E, n>::widen(load_halves<n>(from + j)));
  const int left = int(count - j);
  if (left) store_some(to + j, Vector<float>(Coding<E, n>::widen(load_halves_some<n>(from + j, left))), left);
}
template <class E>
inline void round_all(const float* from, E* to, int64_t count) {
  constexpr int n = Lanes<float>::count;
  int64_t j = 0;
  for (; j + n <= count; j += n) store_halves<n>(to + j, Coding<E, n>::round(load(from + j)));
  if (j < count)
    store_halves_some<n>(to + j, Coding<E, n>::round(load_some(from + j, int(count - j), 0.0f)), int(count - j));
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
