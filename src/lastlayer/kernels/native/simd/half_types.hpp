// float16 and bfloat16 as vectors of their bits: widened to float exactly, and rounded from float to nearest, ties to
// even.
#pragma once

#include "vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

// n numbers in single precision and in a half type.
template <int n>
struct Singles {
  typedef float Floats __attribute__((vector_size(4 * n)));
  typedef uint32_t Bits __attribute__((vector_size(4 * n)));
  typedef uint16_t Halves __attribute__((vector_size(2 * n)));
};

// Zero-extends 16 bits to 32, and truncates 32 bits whose upper half is zero.
template <int n>
LASTLAYER_INLINE typename Singles<n>::Bits spaced(typename Singles<n>::Halves h) {
  using Bits = typename Singles<n>::Bits;
#if defined(__AVX512F__)
  if constexpr (n == 16) return (Bits)_mm512_cvtepu16_epi32((__m256i)h);
#endif
#if defined(__AVX2__)
  if constexpr (n == 8) return (Bits)_mm256_cvtepu16_epi32((__m128i)h);
#endif
  return __builtin_convertvector(h, Bits);
}
template <int n>
LASTLAYER_INLINE typename Singles<n>::Halves packed(typename Singles<n>::Bits bits) {
  using Halves = typename Singles<n>::Halves;
#if defined(__AVX512F__)
  if constexpr (n == 16) return (Halves)_mm512_cvtepi32_epi16((__m512i)bits);
  if constexpr (n == 8) return (Halves)_mm256_cvtepi32_epi16((__m256i)bits);
#elif defined(__AVX2__)
  if constexpr (n == 8) {
    const __m256i v = (__m256i)bits;
    return (Halves)_mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  }
#endif
  return __builtin_convertvector(bits, Halves);
}

template <class E, int n>
struct Coding;

template <int n>
struct Coding<BFloat16, n> : Singles<n> {
  using typename Singles<n>::Floats;
  using typename Singles<n>::Bits;
  using typename Singles<n>::Halves;

  static LASTLAYER_INLINE Floats widen(Halves h) { return (Floats)(spaced<n>(h) << 16); }
  static LASTLAYER_INLINE Halves round(Floats f) {
    const Bits bits = (Bits)f, rounded = bits + 0x7fff + ((bits >> 16) & 1);
    // Rounding would carry a NaN into the sign bit. Setting its first mantissa bit keeps it a (quiet) NaN.
    return packed<n>((f == f ? rounded : bits | 0x400000) >> 16);
  }
};

template <int n>
struct Coding<Float16, n> : Singles<n> {
  using typename Singles<n>::Floats;
  using typename Singles<n>::Bits;
  using typename Singles<n>::Halves;

#if defined(__F16C__)
  static LASTLAYER_INLINE Floats widen(Halves h) {
    if constexpr (n == 16) return (Floats)_mm512_cvtph_ps((__m256i)h);
    if constexpr (n == 8) return (Floats)_mm256_cvtph_ps((__m128i)h);
    if constexpr (n == 4) return (Floats)_mm_cvtph_ps(_mm_loadl_epi64((const __m128i*)&h));
  }
  static LASTLAYER_INLINE Halves round(Floats f) {
    constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    if constexpr (n == 16) return (Halves)_mm512_cvtps_ph((__m512)f, nearest);
    if constexpr (n == 8) return (Halves)_mm256_cvtps_ph((__m256)f, nearest & 7);
    if constexpr (n == 4) {
      Halves h;
      _mm_storel_epi64((__m128i*)&h, _mm_cvtps_ph((__m128)f, nearest & 7));
      return h;
    }
  }
#else
  static LASTLAYER_INLINE Floats widen(Halves h) {
    const Bits bits = spaced<n>(h), magnitude = (bits & 0x7fff) << 13, sign = (bits & 0x8000) << 16;
    // The product corrects the exponent, for subnormals too; infinities and NaN keep theirs.
    const Bits scaled = (Bits)((Floats)magnitude * 0x1p112f);
    return (Floats)((magnitude >= 0x0f800000 ? magnitude | 0x7f800000 : scaled) | sign);
  }
  static LASTLAYER_INLINE Halves round(Floats f) {
    const Bits bits = (Bits)f, sign = (bits >> 16) & 0x8000, size = bits & 0x7fffffff;
    const Bits normal = (size + 0xfff + ((size >> 13) & 1) - 0x38000000) >> 13;
    // Below the normal numbers the addition itself rounds to their spacing.
    const Bits subnormal = (Bits)((Floats)size + 0.5f) - 0x3f000000;
    const Bits beyond = size > 0x7f800000 ? Bits{} + 0x7e00 : Bits{} + 0x7c00;
    const Bits finite = size < 0x38800000 ? subnormal : normal;
    return packed<n>((size >= 0x477ff000 ? beyond : finite) | sign);
  }
#endif
};

// Rounds to odd: to float, truncated, with the last bit set if anything was cut off. Rounding that to a half type
// equals rounding once.
LASTLAYER_INLINE Floats round_to_odd(D v) {
#if defined(__AVX512F__)
  const __m256 f = _mm512_cvt_roundpd_ps(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
  const __mmask8 is_cut = _mm512_cmp_pd_mask(_mm512_cvtps_pd(f), v, _CMP_NEQ_OQ);
  return (Floats)_mm256_mask_or_epi32((__m256i)f, is_cut, (__m256i)f, _mm256_set1_epi32(1));
#else
  using Bits = typename Singles<lanes>::Bits;
  const Floats nearest = narrowed(v);
  const D back = widened(nearest);
  // One less where rounding to nearest went up, at the largest number too.
  const Bits step = __builtin_convertvector(absolute(back) > absolute(v), Bits);
  const Bits last = __builtin_convertvector(((back < v) | (back > v)) & 1, Bits);
  return (Floats)(((Bits)nearest + step) | last);
#endif
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
