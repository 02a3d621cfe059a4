// Scores of any element type as vectors of doubles, and back, rounded once. Included by rows.hpp.

struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

inline float from_bits(uint32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  return f;
}
inline uint32_t to_bits(float f) {
  uint32_t bits;
  __builtin_memcpy(&bits, &f, sizeof bits);
  return bits;
}

inline double widen(float x) { return x; }
inline double widen(double x) { return x; }
inline double widen(Half x) {
  const uint32_t magnitude = uint32_t(x.bits & 0x7fff) << 13, sign = uint32_t(x.bits & 0x8000) << 16;
  // The product puts the exponent in place, for subnormals as well; infinities and NaN keep theirs.
  const uint32_t scaled = to_bits(from_bits(magnitude) * 0x1p112f);
  return from_bits((magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : scaled) | sign);
}
inline double widen(Brain x) { return from_bits(uint32_t(x.bits) << 16); }

// To float, cut off with the last bit set where something was: rounding that further, to a half type, rounds once.
inline uint32_t cut(double x) {
  const float nearest = float(x);
  const uint32_t bits = to_bits(nearest);
  const double back = nearest, size = back < 0 ? -back : back, exact = x < 0 ? -x : x;
  if (!(back != x) || x != x || size == infinity) return bits;
  return (size > exact ? bits - 1 : bits) | 1;
}

inline void round_to(float& to, double x) { to = float(x); }
inline void round_to(double& to, double x) { to = x; }
inline void round_to(Half& to, double x) {
  const uint32_t bits = cut(x), sign = (bits >> 16) & 0x8000, size = bits & 0x7fffffff;
  uint32_t result;
  if (size > 0x7f800000)
    result = 0x7e00;
  else if (size >= 0x477ff000)
    result = 0x7c00;
  else if (size >= 0x38800000)
    result = (size + 0xfff + ((size >> 13) & 1) - 0x38000000) >> 13;
  else
    // Below the normal numbers the addition itself rounds to their spacing.
    result = to_bits(from_bits(size) + 0.5f) - 0x3f000000;
  to.bits = uint16_t(result | sign);
}
inline void round_to(Brain& to, double x) {
  const uint32_t bits = cut(x);
  to.bits = uint16_t((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <class E>
LASTLAYER_INLINE D load_wide(const E* from) {
  D v{};
  for (int i = 0; i < lanes; ++i) v[i] = widen(from[i]);
  return v;
}
template <>
LASTLAYER_INLINE D load_wide(const double* from) {
  return load(from);
}
template <>
LASTLAYER_INLINE D load_wide(const float* from) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  return widened(v);
}

template <class E>
LASTLAYER_INLINE void store_rounded(E* to, D v) {
  for (int i = 0; i < lanes; ++i) round_to(to[i], v[i]);
}
template <>
LASTLAYER_INLINE void store_rounded(double* to, D v) {
  store(to, v);
}
template <>
LASTLAYER_INLINE void store_rounded(float* to, D v) {
  const Floats f = narrowed(v);
  __builtin_memcpy(to, &f, sizeof f);
}

// The first `count` alone; the others are zero, and nothing is read or written beyond.
template <class E>
LASTLAYER_INLINE D load_wide_some(const E* from, int count) {
  E padded[lanes] = {};
  for (int i = 0; i < count; ++i) padded[i] = from[i];
  return load_wide(padded);
}
template <class E>
LASTLAYER_INLINE void store_rounded_some(E* to, D v, int count) {
  E padded[lanes];
  store_rounded(padded, v);
  for (int i = 0; i < count; ++i) to[i] = padded[i];
}
#if defined(__AVX512F__)
template <>
LASTLAYER_INLINE D load_wide_some(const float* from, int count) {
  return widened(_mm256_maskz_loadu_ps(__mmask8((1u << count) - 1), from));
}
template <>
LASTLAYER_INLINE D load_wide_some(const double* from, int count) {
  return _mm512_maskz_loadu_pd(__mmask8((1u << count) - 1), from);
}
template <>
LASTLAYER_INLINE void store_rounded_some(float* to, D v, int count) {
  _mm256_mask_storeu_ps(to, __mmask8((1u << count) - 1), narrowed(v));
}
template <>
LASTLAYER_INLINE void store_rounded_some(double* to, D v, int count) {
  _mm512_mask_storeu_pd(to, __mmask8((1u << count) - 1), v);
}
#endif
