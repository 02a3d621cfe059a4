// Vectors of one register, and the operations that operators cannot express.
#pragma once

#include <stdint.h>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "isa.hpp"

// For functions in innermost loops: a call would pass its vectors through memory.
#define LASTLAYER_INLINE inline __attribute__((always_inline))
#define LASTLAYER_VECTOR(T) typedef T __attribute__((vector_size(LASTLAYER_BYTES)))

namespace lastlayer::LASTLAYER_ISA {
namespace {

// A template argument as a function argument.
template <auto v>
struct Constant {
  static constexpr auto value = v;
};

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using Integer = int32_t;
  LASTLAYER_VECTOR(float) Vector;
  LASTLAYER_VECTOR(int32_t) Integers;
  LASTLAYER_VECTOR(uint32_t) Bits;
  static constexpr int count = LASTLAYER_BYTES / 4;
};
template <>
struct Lanes<double> {
  using Integer = int64_t;
  LASTLAYER_VECTOR(double) Vector;
  LASTLAYER_VECTOR(int64_t) Integers;
  LASTLAYER_VECTOR(uint64_t) Bits;
  static constexpr int count = LASTLAYER_BYTES / 8;
};

template <class T>
using Vector = typename Lanes<T>::Vector;
// Most kernels compute in vectors of double, with masks from comparing them.
using D = Vector<double>;
using Mask = Lanes<double>::Integers;
constexpr int lanes = Lanes<double>::count;

constexpr double infinity = __builtin_huge_val();
constexpr double not_a_number = __builtin_nan("");

template <class T>
LASTLAYER_INLINE Vector<T> load(const T* from) {
  Vector<T> v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <class T>
LASTLAYER_INLINE void store(T* to, Vector<T> v) {
  __builtin_memcpy(to, &v, sizeof v);
}

template <class T>
LASTLAYER_INLINE Vector<T> splat(T value) {
  // The subtraction changes no value and is optimized away; an addition would turn -0 into 0.
  return value - Vector<T>{};
}

LASTLAYER_INLINE Mask splat_integer(int64_t value) { return Mask{} + value; }

// a * b + c, rounded once if the hardware can.
LASTLAYER_INLINE float fma(float a, float b, float c) { return a * b + c; }
#if defined(__AVX512F__)
LASTLAYER_INLINE Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) {
  return _mm512_fmadd_ps(a, b, c);
}
LASTLAYER_INLINE D fma(D a, D b, D c) { return _mm512_fmadd_pd(a, b, c); }
// The larger number; b if either is NaN.
LASTLAYER_INLINE Vector<float> larger(Vector<float> a, Vector<float> b) { return _mm512_max_ps(a, b); }
LASTLAYER_INLINE D larger(D a, D b) { return _mm512_max_pd(a, b); }
LASTLAYER_INLINE D smaller(D a, D b) { return _mm512_min_pd(a, b); }
#elif defined(__AVX2__)
LASTLAYER_INLINE Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) {
  return _mm256_fmadd_ps(a, b, c);
}
LASTLAYER_INLINE D fma(D a, D b, D c) { return _mm256_fmadd_pd(a, b, c); }
LASTLAYER_INLINE Vector<float> larger(Vector<float> a, Vector<float> b) { return _mm256_max_ps(a, b); }
LASTLAYER_INLINE D larger(D a, D b) { return _mm256_max_pd(a, b); }
LASTLAYER_INLINE D smaller(D a, D b) { return _mm256_min_pd(a, b); }
#else
LASTLAYER_INLINE Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) { return a * b + c; }
LASTLAYER_INLINE D fma(D a, D b, D c) { return a * b + c; }
LASTLAYER_INLINE Vector<float> larger(Vector<float> a, Vector<float> b) { return a > b ? a : b; }
LASTLAYER_INLINE D larger(D a, D b) { return a > b ? a : b; }
LASTLAYER_INLINE D smaller(D a, D b) { return a < b ? a : b; }
#endif

// The lanes where x is above the floor or NaN, and operations that are zero in the other lanes: a b + c, a + b on bits,
// a b.
#if defined(__AVX512F__)
LASTLAYER_INLINE __mmask16 lanes_above(Vector<float> floor, Vector<float> x) {
  return _mm512_cmp_ps_mask(x, floor, _CMP_NLE_UQ);
}
LASTLAYER_INLINE Vector<float> fma_where(__mmask16 where, Vector<float> a, Vector<float> b, Vector<float> c) {
  return _mm512_maskz_fmadd_ps(where, a, b, c);
}
LASTLAYER_INLINE Lanes<float>::Bits sum_where(__mmask16 where, Lanes<float>::Bits a, Lanes<float>::Bits b) {
  return (Lanes<float>::Bits)_mm512_maskz_add_epi32(where, (__m512i)a, (__m512i)b);
}
LASTLAYER_INLINE D product_above(D floor, D x, D a, D b) {
  return _mm512_maskz_mul_pd(_mm512_cmp_pd_mask(x, floor, _CMP_NLE_UQ), a, b);
}
#else
LASTLAYER_INLINE Lanes<float>::Bits lanes_above(Vector<float> floor, Vector<float> x) {
  return ~(Lanes<float>::Bits)(x <= floor);
}
LASTLAYER_INLINE Vector<float> fma_where(Lanes<float>::Bits where, Vector<float> a, Vector<float> b, Vector<float> c) {
  return (Vector<float>)((Lanes<float>::Bits)fma(a, b, c) & where);
}
LASTLAYER_INLINE Lanes<float>::Bits sum_where(Lanes<float>::Bits where, Lanes<float>::Bits a, Lanes<float>::Bits b) {
  return (a + b) & where;
}
LASTLAYER_INLINE D product_above(D floor, D x, D a, D b) { return (D)((Mask)(a * b) & ~(x <= floor)); }
#endif

// Looks up entries of a table with one entry per lane, by the last bits of the index.
#if defined(__AVX512F__)
LASTLAYER_INLINE Vector<float> looked_up(Vector<float> table, Lanes<float>::Bits index) {
  return _mm512_permutexvar_ps((__m512i)index, table);
}
#elif defined(__AVX2__)
LASTLAYER_INLINE Vector<float> looked_up(Vector<float> table, Lanes<float>::Bits index) {
  return _mm256_permutevar8x32_ps(table, (__m256i)index);
}
#endif

// Half a vector of floats, to and from a vector of doubles.
typedef float Floats __attribute__((vector_size(LASTLAYER_BYTES / 2)));
LASTLAYER_INLINE D widened(Floats v) {
#if defined(__AVX512F__)
  return _mm512_cvtps_pd(v);
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(v);
#else
  return __builtin_convertvector(v, D);
#endif
}
LASTLAYER_INLINE Floats narrowed(D v) {
#if defined(__AVX512F__)
  return _mm512_cvtpd_ps(v);
#elif defined(__AVX2__)
  return _mm256_cvtpd_ps(v);
#else
  return __builtin_convertvector(v, Floats);
#endif
}
// The halves of a vector of floats, and their union.
LASTLAYER_INLINE Floats low_half(Vector<float> v) {
#if defined(__AVX512F__)
  return _mm512_castps512_ps256(v);
#elif defined(__AVX2__)
  return _mm256_castps256_ps128(v);
#else
  return __builtin_shufflevector(v, v, 0, 1);
#endif
}
LASTLAYER_INLINE Floats high_half(Vector<float> v) {
#if defined(__AVX512F__)
  return _mm512_extractf32x8_ps(v, 1);
#elif defined(__AVX2__)
  return _mm256_extractf128_ps(v, 1);
#else
  return __builtin_shufflevector(v, v, 2, 3);
#endif
}
LASTLAYER_INLINE Vector<float> joined(Floats low, Floats high) {
#if defined(__AVX512F__)
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
#elif defined(__AVX2__)
  return _mm256_set_m128(high, low);
#else
  return __builtin_shufflevector(low, high, 0, 1, 2, 3);
#endif
}

// Two vectors of 64-bit integers, narrowed to one of 32-bit integers.
LASTLAYER_INLINE Lanes<float>::Integers narrowed(const Mask* halves) {
  typedef int32_t Half __attribute__((vector_size(LASTLAYER_BYTES / 2)));
  return (Lanes<float>::Integers)joined((Floats) __builtin_convertvector(halves[0], Half),
                                        (Floats) __builtin_convertvector(halves[1], Half));
}

LASTLAYER_INLINE D square_root(D x) {
#if defined(__AVX512F__)
  return _mm512_sqrt_pd(x);
#elif defined(__AVX2__)
  return _mm256_sqrt_pd(x);
#else
  return D{__builtin_sqrt(x[0]), __builtin_sqrt(x[1])};
#endif
}

LASTLAYER_INLINE D absolute(D x) { return (D)((Lanes<double>::Bits)x & 0x7fffffffffffffffull); }

// 0, 1, 2, ... in the lanes.
template <class T>
LASTLAYER_INLINE typename Lanes<T>::Integers place_numbers() {
  typename Lanes<T>::Integers numbers{};
  for (int i = 0; i < Lanes<T>::count; ++i) numbers[i] = i;
  return numbers;
}

// Loads the first `count` lanes and reads nothing beyond; the other lanes are `filler`.
template <class T>
LASTLAYER_INLINE Vector<T> load_some(const T* from, int count, T filler) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_mask_loadu_ps(splat(filler), __mmask16((1u << count) - 1), from);
  else
    return _mm512_mask_loadu_pd(splat(filler), __mmask8((1u << count) - 1), from);
#elif defined(__AVX2__)
  const auto is_there = place_numbers<T>() < count;
  if constexpr (sizeof(T) == 4)
    return is_there ? Vector<T>(_mm256_maskload_ps(from, (__m256i)is_there)) : splat(filler);
  else
    return is_there ? Vector<T>(_mm256_maskload_pd(from, (__m256i)is_there)) : splat(filler);
#else
  T values[Lanes<T>::count];
  for (int i = 0; i < Lanes<T>::count; ++i) values[i] = i < count ? from[i] : filler;
  return load(values);
#endif
}

// Stores the first `count` lanes and writes nothing beyond.
template <class T>
LASTLAYER_INLINE void store_some(T* to, Vector<T> v, int count) {
  if (count == Lanes<T>::count) return store<T>(to, v);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(to, __mmask16((1u << count) - 1), v);
  else
    _mm512_mask_storeu_pd(to, __mmask8((1u << count) - 1), v);
#else
  T values[Lanes<T>::count];
  store<T>(values, v);
  for (int i = 0; i < count; ++i) to[i] = values[i];
#endif
}

// Whether any lane is true.
LASTLAYER_INLINE bool has_any(Mask mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX2__)
  return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#else
  return (mask[0] | mask[1]) != 0;
#endif
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
