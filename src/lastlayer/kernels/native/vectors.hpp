// Vectors of one register and what they can do that operators cannot say.
// Included by rows.hpp inside the namespace of one instruction set: nothing here may be shared between instruction sets.

#if defined(__AVX512F__)
#define LASTLAYER_BYTES 64
#elif defined(__AVX2__)
#define LASTLAYER_BYTES 32
#else
#define LASTLAYER_BYTES 16
#endif
#define LASTLAYER_VECTOR(T) typedef T __attribute__((vector_size(LASTLAYER_BYTES)))

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  LASTLAYER_VECTOR(float) Vector;
  LASTLAYER_VECTOR(int32_t) Integers;
  LASTLAYER_VECTOR(uint32_t) Bits;
  static constexpr int count = LASTLAYER_BYTES / 4;
};
template <>
struct Lanes<double> {
  LASTLAYER_VECTOR(double) Vector;
  LASTLAYER_VECTOR(int64_t) Integers;
  LASTLAYER_VECTOR(uint64_t) Bits;
  static constexpr int count = LASTLAYER_BYTES / 8;
};

template <class T>
using Vector = typename Lanes<T>::Vector;
// Most kernels compute in these: scores of any type as doubles, and where comparisons of them hold.
using D = Vector<double>;
using Mask = Lanes<double>::Integers;
constexpr int lanes = Lanes<double>::count;

constexpr double infinity = __builtin_huge_val();
constexpr double not_a_number = __builtin_nan("");

template <class T>
inline Vector<T> load(const T* from) {
  Vector<T> v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <class T>
inline void store(T* to, Vector<T> v) {
  __builtin_memcpy(to, &v, sizeof v);
}

template <class T>
inline Vector<T> splat(T value) {
  return Vector<T>{} + value;
}

inline D all(double value) { return splat(value); }
inline Mask all_of(int64_t value) { return Mask{} + value; }

// a * b + c, rounded once where the hardware can.
inline float fma(float a, float b, float c) { return a * b + c; }
#if defined(__AVX512F__)
inline Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm512_fmadd_ps(a, b, c); }
inline D fma(D a, D b, D c) { return _mm512_fmadd_pd(a, b, c); }
// The larger; b where either is NaN.
inline Vector<float> larger(Vector<float> a, Vector<float> b) { return _mm512_max_ps(a, b); }
inline D larger(D a, D b) { return _mm512_max_pd(a, b); }
inline D smaller(D a, D b) { return _mm512_min_pd(a, b); }
#elif defined(__AVX2__)
inline Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline D fma(D a, D b, D c) { return _mm256_fmadd_pd(a, b, c); }
inline Vector<float> larger(Vector<float> a, Vector<float> b) { return _mm256_max_ps(a, b); }
inline D larger(D a, D b) { return _mm256_max_pd(a, b); }
inline D smaller(D a, D b) { return _mm256_min_pd(a, b); }
#else
inline Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) { return a * b + c; }
inline D fma(D a, D b, D c) { return a * b + c; }
inline Vector<float> larger(Vector<float> a, Vector<float> b) { return a > b ? a : b; }
inline D larger(D a, D b) { return a > b ? a : b; }
inline D smaller(D a, D b) { return a < b ? a : b; }
#endif

inline D absolute(D x) { return (D)((Lanes<double>::Bits)x & 0x7fffffffffffffffull); }

// One value of all lanes: by halves, in an order that depends on nothing.
template <class T, class V, class Join>
inline T fold(V v, Join join) {
  constexpr int n = int(sizeof(V) / sizeof(T));
  T values[n];
  __builtin_memcpy(values, &v, sizeof v);
  for (int width = n / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) values[i] = join(values[i], values[i + width]);
  return values[0];
}

inline Mask lane_numbers() {
  Mask numbers{};
  for (int i = 0; i < lanes; ++i) numbers[i] = i;
  return numbers;
}

// Whether a comparison holds in any lane.
inline bool has_any(Mask mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX2__)
  return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#else
  return (mask[0] | mask[1]) != 0;
#endif
}

// a and b hold every other row of a square: swaps the blocks of `width` lanes beside its diagonal.
template <int width>
inline void swap_blocks(D& a, D& b) {
  Mask from_a{}, from_b{};
  for (int i = 0; i < lanes; ++i) {
    const int place = i & ~width;
    from_a[i] = i & width ? place + lanes : place;
    from_b[i] = (i & width ? place + lanes : place) + width;
  }
  const D first = __builtin_shuffle(a, b, from_a), second = __builtin_shuffle(a, b, from_b);
  a = first;
  b = second;
}

template <int width>
inline void transpose_by(D* square) {
  if constexpr (width < lanes) {
    for (int i = 0; i < lanes; ++i)
      if (!(i & width)) swap_blocks<width>(square[i], square[i + width]);
    transpose_by<width * 2>(square);
  }
}

// As many vectors as a vector has lanes: rows become columns.
inline void transpose(D* square) { transpose_by<1>(square); }
