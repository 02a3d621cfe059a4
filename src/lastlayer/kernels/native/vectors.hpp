// Vectors of one register, e^x on them, and sums that keep more than the working precision.
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
  // 1.5 * 2^23: adding it rounds to an integer, whose bits stand in the sum's last ones.
  static constexpr float round_shift = 12582912.0f;
  static constexpr float log2_e = 1.44269504f;
  // ln 2 in two parts; the first has 14 bits, so that its product with any power in use is exact, with or without fma.
  static constexpr float ln2_high = 0.693115234375f, ln2_low = 3.194618329871446e-05f;
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  // Weights are carried times 2^lift, so that the sum of the smallest that matter has all its bits.
  static constexpr int lift = 64;
  static constexpr double unlift = 0x1p-64;
  // Beyond this distance from the maximum e^x is zero in every result.
  static constexpr float reach = 130.0f;
  // From this size of the maximum on, the scores within reach are so near it that x - max is exact.
  static constexpr float far = 512.0f;
  // (e^r - 1 - r) / r^2 on |r| <= ln(2)/2, minimax to 2^-27 of e^r.
  static constexpr int degree = 4;
  static constexpr float polynomial[5] = {0.5f, 0.16666576266288757f, 0.04166655242443085f, 0.008363292552530766f,
                                          0.0013926326064392924f};
};

template <>
struct Lanes<double> {
  LASTLAYER_VECTOR(double) Vector;
  LASTLAYER_VECTOR(int64_t) Integers;
  LASTLAYER_VECTOR(uint64_t) Bits;
  static constexpr int count = LASTLAYER_BYTES / 8;
  static constexpr double round_shift = 6755399441055744.0;
  static constexpr double log2_e = 1.4426950408889634;
  static constexpr double ln2_high = 0.6931471804855391, ln2_low = 7.440617110012397e-11;
  static constexpr int mantissa_bits = 52, exponent_bias = 1023;
  static constexpr int lift = 512;
  static constexpr double unlift = 0x1p-512;
  static constexpr double reach = 1050.0;
  static constexpr double far = 2048.0;
  static constexpr int degree = 10;
  static constexpr double polynomial[11] = {0.5,
                                            0.1666666666666667,
                                            0.04166666666666667,
                                            0.008333333333326025,
                                            0.001388888888888367,
                                            0.00019841269875205077,
                                            2.4801587325822283e-05,
                                            2.75572549134867e-06,
                                            2.7557273295539724e-07,
                                            2.5105419192016337e-08,
                                            2.091483135138041e-09};
};

template <class T>
using Vector = typename Lanes<T>::Vector;

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

// One value of all lanes: by halves, in an order that depends on nothing.
template <class T, class V, class Join>
inline T fold(V v, Join join) {
  constexpr int n = int(sizeof(V) / sizeof(T));
  T lanes[n];
  __builtin_memcpy(lanes, &v, sizeof v);
  for (int width = n / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] = join(lanes[i], lanes[i + width]);
  return lanes[0];
}

// The lanes' own numbers: 0, 1, 2, ...
template <class T>
inline typename Lanes<T>::Integers lane_numbers() {
  typename Lanes<T>::Integers numbers;
  for (int i = 0; i < Lanes<T>::count; ++i) numbers[i] = i;
  return numbers;
}

// Whether a comparison holds in any lane.
template <class Mask>
inline bool has_any(Mask mask) {
  uint64_t words[sizeof(Mask) / 8], any = 0;
  __builtin_memcpy(words, &mask, sizeof mask);
  for (uint64_t word : words) any |= word;
  return any != 0;
}

// The unevaluated sum hi + lo.
struct Pair {
  double hi, lo;
};

inline Pair two_sum(double a, double b) {
  const double hi = a + b, t = hi - a;
  return {hi, (a - (hi - t)) + (b - t)};
}

inline Pair add_pairs(Pair a, Pair b) {
  const Pair s = two_sum(a.hi, b.hi);
  return two_sum(s.hi, s.lo + (a.lo + b.lo));
}

// a * b = hi + lo for moderate sizes (Dekker), the same bits with and without fma hardware.
inline Pair two_product(double a, double b) {
  const double ta = a * 134217729.0, tb = b * 134217729.0;
  const double ah = ta - (ta - a), bh = tb - (tb - b), al = a - ah, bl = b - bh;
  const double hi = a * b;
  return {hi, ((ah * bh - hi) + ah * bl + al * bh) + al * bl};
}

inline Pair divide(Pair a, Pair b) {
  const double hi = a.hi / b.hi;
  const Pair back = two_product(hi, b.hi);
  const double lo = (((a.hi - back.hi) - back.lo) + a.lo - hi * b.lo) / b.hi;
  return two_sum(hi, lo);
}

// A sum over the lanes of many vectors: float32 in double, float64 with the rounding of every addition kept.
template <class T>
struct Sum;

template <>
struct Sum<float> {
  typedef double Wide __attribute__((vector_size(LASTLAYER_BYTES)));
  Wide low{}, high{};
  inline void add(Vector<float> w, Vector<float>) {
#if defined(__AVX512F__)
    low += (Wide)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)w));
    high += (Wide)_mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd((__m512)w), 1)));
#else
    typedef float Half __attribute__((vector_size(LASTLAYER_BYTES / 2)));
    Half halves[2];
    __builtin_memcpy(halves, &w, sizeof w);
    low += __builtin_convertvector(halves[0], Wide);
    high += __builtin_convertvector(halves[1], Wide);
#endif
  }
  // The sum of one lane, where lanes are rows.
  inline Pair lane(int i) const {
    constexpr int half = Lanes<double>::count;
    return {i < half ? low[i] : high[i - half], 0.0};
  }
  inline Pair total() const {
    return {fold<double>(low + high, [](double a, double b) { return a + b; }), 0.0};
  }
};

template <>
struct Sum<double> {
  Vector<double> sum{}, rest{};
  inline void add(Vector<double> w, Vector<double> w_lo) {
    const Vector<double> s = sum + w, t = s - sum;
    rest += ((sum - (s - t)) + (w - t)) + w_lo;
    sum = s;
  }
  inline Pair lane(int i) const { return two_sum(sum[i], rest[i]); }
  inline Pair total() const {
    Pair all{0.0, 0.0};
    for (int i = 0; i < Lanes<double>::count; ++i) all = add_pairs(all, {sum[i], rest[i]});
    return all;
  }
};

// What e^(x - max) needs to know of its row.
// Value is a number, or a vector with another row in each lane.
template <class T, class Value>
struct ExponentialRow {
  Value offset;  // taken from every score first: max where it is far from zero, else nothing
  Value top, floor, top_power, top_rest;

  explicit ExponentialRow(Value largest) {
    using L = Lanes<T>;
    const Value nothing = largest - largest;
    offset = largest >= L::far ? largest : nothing;
    offset = largest <= -L::far ? largest : offset;
    top = largest - offset;
    floor = top - L::reach;
    const Value shifted = top * L::log2_e + L::round_shift;
    top_power = shifted - L::round_shift;
    top_rest = top - top_power * L::ln2_high;
  }
};

template <class T>
struct Weights {
  Vector<T> hi, lo;
};

// e^(x - max) * 2^lift, and the rounding of its last addition. x - max itself is never formed but to find the power of
// two: its rounding would come back as a relative error of e^(x - max).
template <class T, class Value>
inline Weights<T> exponential(Vector<T> x, const ExponentialRow<T, Value>& row) {
  using L = Lanes<T>;
  using V = Vector<T>;
  // Unsigned: the bits of rows with a NaN overflow.
  using Bits = typename L::Bits;
  x = x - row.offset;
  const V floor = V{} + row.floor;
  x = x > floor ? x : floor;
  const V shifted = (x - row.top) * L::log2_e + L::round_shift;
  const V power = shifted - L::round_shift;
  // Exact: the power has few bits, ln2_high has few bits, and the two differences are small.
  const V coarse = (x - (power + row.top_power) * L::ln2_high) - row.top_rest;
  const V r = coarse - power * L::ln2_low;
  V q = splat<T>(L::polynomial[L::degree]);
  for (int i = L::degree - 1; i >= 0; --i) q = q * r + L::polynomial[i];
  // 1 + r + r^2 q, rounded once: what 1 + r loses goes into the smaller terms.
  const V near = r + T(1);
  V small = (r * r) * q + (r - (near - T(1)));
  if constexpr (sizeof(T) == 8) small = small + ((coarse - r) - power * L::ln2_low);
  const V e = near + small;
  const V lost = (near - e) + small;
  const Bits exponent = (Bits)shifted << L::mantissa_bits;
  if constexpr (sizeof(T) == 4) {
    constexpr uint32_t lift = uint32_t(L::lift) << L::mantissa_bits;
    return {(V)((Bits)e + exponent + lift), lost};
  } else {
    constexpr uint64_t one = uint64_t(L::exponent_bias + L::lift) << L::mantissa_bits;
    const V scale = (V)(exponent + one);
    return {e * scale, lost * scale};
  }
}
