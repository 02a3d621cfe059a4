// The terms of softmax, e^(x - max) up to a power of two, for rows where every operation counts.
//
// e^x = 2^k e^r, and softmax needs e^x / 2^K with the power K of the largest score. Subtracting K is exact, while x -
// max would be rounded, and its rounding error would become a relative error of e^(x - max).
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../arithmetic/elementary.hpp"
#include "../simd/permutations.hpp"
#include "../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T>
struct ExponentialConstants;
template <>
struct ExponentialConstants<float> {
  // Terms are scaled by 2^lift, so that the smallest ones that matter are normal numbers.
  static constexpr int lift = 64, mantissa_bits = 23;
  static constexpr double unlift = 0x1p-64;
  // Below this distance from the maximum e^x is zero in every result, so the term is zero: operations on subnormal
  // numbers are slow.
  static constexpr float reach = 130.0f;
  // If the maximum is at least this large, the scores within reach are so close to it that x - max is exact; then it is
  // subtracted first.
  static constexpr float far = 512.0f;
  static constexpr float log2_e = 1.44269504f, shift = 12582912.0f;
  // The first part has 14 bits, so that subtracting its product with any power in use from a score is exact.
  static constexpr float ln2_high = 0.693115234375f, ln2_low = 3.194618329871446e-05f;
  // Powers are of 2^(1 / steps), with as many steps as one instruction can look up in a table.
  static constexpr int step_bits = LASTLAYER_BYTES == 64 ? 4 : LASTLAYER_BYTES == 32 ? 3 : 0, steps = 1 << step_bits;
  // If the others are below this share of the total they are summed again: as total - largest they have lost digits.
  // More are lost with more numbers in the sum, and with more in one lane, whose errors have one sign if its numbers
  // are alike.
  static double confident(int64_t classes, int64_t numbers_a_lane) {
    return 0x1p-18 * double(classes < 32 ? 32 : classes) * (numbers_a_lane < 16 ? 1.0 : double(numbers_a_lane) / 16.0);
  }
};
template <>
struct ExponentialConstants<double> {
  static constexpr int lift = 512, mantissa_bits = 52;
  static constexpr double unlift = 0x1p-512;
  static constexpr double reach = 1050.0, far = 2048.0;
  static constexpr int steps = 1;
  static constexpr double log2_e = lastlayer::LASTLAYER_ISA::log2_e, shift = round_shift;
  static constexpr double ln2_high = lastlayer::LASTLAYER_ISA::ln2_high, ln2_low = lastlayer::LASTLAYER_ISA::ln2_low;
  static double confident(int64_t, int64_t) { return 0x1p-40; }
};

// A term as it is stored, `hi`, and its rounding error: over many equal terms the errors would add up.
template <class T>
struct Terms;
template <>
struct Terms<double> {
  D hi, low;
  LASTLAYER_INLINE static Terms stored(D w) { return {w, D{}}; }
  // The term minus a number close to it.
  LASTLAYER_INLINE D remainder_after(D part) const { return (hi - part) + low; }
  LASTLAYER_INLINE D lo() const { return low; }
  LASTLAYER_INLINE Terms but(Mask mask) const { return {mask ? D{} : hi, mask ? D{} : low}; }
};
template <>
struct Terms<float> {
  // The term is base + base * rest, or base + rest if that product would be rounded.
  static constexpr bool is_product = LASTLAYER_BYTES > 16;
  Vector<float> hi, base, rest;
  LASTLAYER_INLINE static Terms stored(Vector<float> w) { return {w, w, Vector<float>{}}; }
  LASTLAYER_INLINE Vector<float> remainder_after(Vector<float> part) const {
    return is_product ? fma(base, rest, base - part) : (base - part) + rest;
  }
  LASTLAYER_INLINE Vector<float> lo() const { return remainder_after(hi); }
  LASTLAYER_INLINE Terms but(Lanes<float>::Integers mask) const {
    return {mask ? Vector<float>{} : hi, mask ? Vector<float>{} : base, mask ? Vector<float>{} : rest};
  }
};

// Value is a number for one row, or a vector with a row in each lane.
template <class T, class Value>
struct RowExponents {
  using R = ExponentialConstants<T>;
  Value offset, power, floor, shift;

  RowExponents() = default;
  LASTLAYER_INLINE explicit RowExponents(Value largest) {
    const Value nothing = largest - largest;
    offset = largest >= R::far ? largest : nothing;
    offset = largest <= -R::far ? largest : offset;
    const Value reduced = largest - offset;
    power = (reduced * R::log2_e + R::shift) - R::shift;
    floor = reduced - R::reach;
    shift = R::shift + T(R::steps) * (T(R::lift) - power);
  }
  RowExponents(Value offset, Value power, Value floor, Value shift)
      : offset(offset), power(power), floor(floor), shift(shift) {}
  // For the row in one lane.
  RowExponents<T, T> of(int lane) const { return {offset[lane], power[lane], floor[lane], shift[lane]}; }
};

LASTLAYER_INLINE Vector<float> spread(float x) { return splat(x); }
LASTLAYER_INLINE Vector<float> spread(Vector<float> x) { return x; }
LASTLAYER_INLINE D spread(double x) { return splat(x); }
LASTLAYER_INLINE D spread(D x) { return x; }

#if LASTLAYER_BYTES > 16
// 2^(j / steps) as float32, less the j steps that the power adds to its exponent bits, and its relative rounding error.
struct StepTable {
  uint32_t bits[ExponentialConstants<float>::steps];
  float rest[ExponentialConstants<float>::steps];
};
constexpr StepTable step_table() {
  using R = ExponentialConstants<float>;
  constexpr uint32_t powers[] = {0x3f800000, 0x3f85aac3, 0x3f8b95c2, 0x3f91c3d3, 0x3f9837f0, 0x3f9ef532,
                                 0x3fa5fed7, 0x3fad583f, 0x3fb504f3, 0x3fbd08a4, 0x3fc5672a, 0x3fce248c,
                                 0x3fd744fd, 0x3fe0ccdf, 0x3feac0c7, 0x3ff5257d};
  constexpr float rests[] = {0.0f,
                             4.62854715e-08f,
                             -1.19921575e-08f,
                             4.72978243e-08f,
                             3.19341815e-08f,
                             3.62105723e-08f,
                             -3.09907193e-08f,
                             -7.47521334e-09f,
                             1.71142709e-08f,
                             -3.04768335e-08f,
                             5.23333421e-09f,
                             6.10759177e-09f,
                             -1.47196051e-08f,
                             -5.25879518e-09f,
                             -6.12825968e-09f,
                             5.14060927e-09f};
  StepTable table{};
  for (int j = 0; j < R::steps; ++j) {
    table.bits[j] = powers[j * 16 / R::steps] - (uint32_t(j) << (R::mantissa_bits - R::step_bits));
    table.rest[j] = rests[j * 16 / R::steps];
  }
  return table;
}
#endif

// Terms of several vectors, one operation for all of them after the other, so that they overlap. The relative error of
// a stored term is 1.12 * 2^-24, with its low part 0.12 * 2^-24, and without a table 0.23 * 2^-24.
template <bool is_far, int count, class Value>
LASTLAYER_INLINE void term_vectors(const Vector<float>* scores, const RowExponents<float, Value>* rows,
                                   Terms<float>* out) {
  using R = ExponentialConstants<float>;
  using V = Vector<float>;
  using B = Lanes<float>::Bits;
  V x[count], power[count], coarse[count], r[count], q[count], shifted[count];
  for (int i = 0; i < count; ++i) {
    x[i] = is_far ? scores[i] - rows[i].offset : scores[i];
    shifted[i] = fma(x[i], splat(R::steps * R::log2_e), spread(rows[i].shift));
  }
  for (int i = 0; i < count; ++i) {
    power[i] = shifted[i] - rows[i].shift;
    coarse[i] = fma(power[i], splat(-R::ln2_high / R::steps), x[i]);
    r[i] = fma(power[i], splat(-R::ln2_low / R::steps), coarse[i]);
  }
#if LASTLAYER_BYTES > 16
  // (e^r - 1) / r on |r| <= ln(2) / 32 or / 16 by a minimax polynomial, to 2^-29 or 2^-31 of e^r.
  constexpr float c[] = {1.0f, R::steps == 16 ? 0.500016212f : 0.5f, R::steps == 16 ? 0.166667178f : 0.16668655f,
                         0.041676607f};
  constexpr int degree = R::steps == 16 ? 2 : 3;
  constexpr StepTable table = step_table();
  V powers, rests;
  __builtin_memcpy(&powers, table.bits, sizeof powers);
  __builtin_memcpy(&rests, table.rest, sizeof rests);
  for (int i = 0; i < count; ++i) q[i] = splat(c[degree]);
  for (int k = degree - 1; k >= 0; --k)
    for (int i = 0; i < count; ++i) q[i] = fma(q[i], r[i], splat(c[k]));
  for (int i = 0; i < count; ++i) {
    const auto is_above = lanes_above(spread(rows[i].floor), x[i]);
    out[i].rest = fma_where(is_above, q[i], r[i], looked_up(rests, (B)shifted[i]));
    out[i].base =
        (V)sum_where(is_above, (B)looked_up(powers, (B)shifted[i]), (B)shifted[i] << (R::mantissa_bits - R::step_bits));
    out[i].hi = fma(out[i].base, out[i].rest, out[i].base);
  }
#else
  // (e^r - 1 - r) / r^2 on |r| <= ln(2)/2 by a minimax polynomial, to 2^-28 of e^r. The rounding errors of r and 1 + r
  // are added to the smaller terms.
  constexpr float c[] = {0.49999993448709745f, 0.16666520645461694f, 0.04166838788620697f, 0.0083687152081408357f,
                         0.0013814601939945166f};
  for (int i = 0; i < count; ++i) q[i] = splat(c[4]);
  for (int k = 3; k >= 0; --k)
    for (int i = 0; i < count; ++i) q[i] = q[i] * r[i] + splat(c[k]);
  for (int i = 0; i < count; ++i) {
    const V near = r[i] + 1.0f, r_low = (coarse[i] - r[i]) - power[i] * R::ln2_low;
    const V small = r[i] * r[i] * q[i] + (r[i] - (near - 1.0f)) + r_low;
    const auto is_above = lanes_above(spread(rows[i].floor), x[i]);
    const V scale = (V)(((B)shifted[i] << R::mantissa_bits) + (127u << R::mantissa_bits));
    out[i].base = (V)((B)(near * scale) & is_above);
    out[i].rest = (V)((B)(small * scale) & is_above);
    out[i].hi = out[i].base + out[i].rest;
  }
#endif
}

template <bool is_far, int count, class Value>
LASTLAYER_INLINE void term_vectors(const D* scores, const RowExponents<double, Value>* rows, Terms<double>* out) {
  using R = ExponentialConstants<double>;
  D x[count], r[count], r_low[count], q[count], shifted[count];
  for (int i = 0; i < count; ++i) {
    x[i] = is_far ? scores[i] - rows[i].offset : scores[i];
    shifted[i] = fma(x[i], splat(R::log2_e), spread(rows[i].shift));
    const D power = shifted[i] - rows[i].shift, coarse = fma(power, splat(-R::ln2_high), x[i]);
    r[i] = fma(power, splat(-R::ln2_low), coarse);
    r_low[i] = fma(power, splat(-R::ln2_low), coarse - r[i]);
  }
  exponential_tails<DoubleDouble, count>(r, q);
  for (int i = 0; i < count; ++i) {
    const D near = r[i] + 1.0, small = fma(r[i] * r[i], q[i], r[i] - (near - 1.0));
    const D e = near + small, lost = (near - e) + small + r_low[i];
    const D scale = (D)(((Bits)shifted[i] << 52) + (1023ull << 52)), floor = spread(rows[i].floor);
    out[i] = {product_above(floor, x[i], e, scale), product_above(floor, x[i], lost, scale)};
  }
}

template <bool is_far, class T, class Value>
LASTLAYER_INLINE Terms<T> compute_term(Vector<T> x, const RowExponents<T, Value>& row) {
  Terms<T> w;
  term_vectors<is_far, 1>(&x, &row, &w);
  return w;
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
