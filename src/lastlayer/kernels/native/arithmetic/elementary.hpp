// e^x, log and log1p in Double and DoubleDouble, tanh in double. Double's relative error is 2^-39, which is 2^-16 ULP
// of float32; DoubleDouble's is 2^-58.
#pragma once

#include <math.h>

#include "../simd/vectors.hpp"
#include "double_double.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

constexpr double log2_e = 1.4426950408889634;
// ln 2 in two parts. The first has 33 bits, so that its product with any power of two in use is exact.
constexpr double ln2_high = 0.6931471804855391, ln2_low = 7.440617110012397e-11;
// 1.5 * 2^52: adding it rounds to an integer, which the sum's last bits hold.
constexpr double round_shift = 6755399441055744.0;

using Bits = Lanes<double>::Bits;

// 2^k for integers k, held in the last bits of `shifted`.
LASTLAYER_INLINE D power_of_two(D shifted, int lift) {
  return (D)(((Bits)shifted << 52) + (uint64_t(1023 + lift) << 52));
}

// (e^r - 1 - r) / r^2 on |r| <= ln(2)/2 by a minimax polynomial, for `count` vectors at once.
template <class W, int count>
LASTLAYER_INLINE void exponential_tails(const D* r, D* q) {
  constexpr double fine[] = {0.5,
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
  constexpr double coarse[] = {0.49999999999480033,   0.16666666793952662,   0.04166666707787985,
                               0.0083332791722225499, 0.0013888792691368952, 0.00019910600985135172,
                               2.4889331097442314e-05};
  // Even and odd powers separately: two dependency chains, each half as long.
  constexpr int degree = W::is_double_double ? 10 : 6;
  D square[count], odd[count];
  for (int i = 0; i < count; ++i) {
    square[i] = r[i] * r[i];
    q[i] = splat(W::is_double_double ? fine[10] : coarse[6]);
    odd[i] = splat(W::is_double_double ? fine[9] : coarse[5]);
  }
  for (int k = degree - 2; k >= 0; k -= 2)
    for (int i = 0; i < count; ++i) {
      q[i] = fma(q[i], square[i], splat(W::is_double_double ? fine[k] : coarse[k]));
      if (k > 0) odd[i] = fma(odd[i], square[i], splat(W::is_double_double ? fine[k - 1] : coarse[k - 1]));
    }
  for (int i = 0; i < count; ++i) q[i] = fma(odd[i], r[i], q[i]);
}
template <class W>
LASTLAYER_INLINE D exponential_tail(D r) {
  D q;
  exponential_tails<W, 1>(&r, &q);
  return q;
}

// e^u * 2^lift. Below the reach nothing can show in a result: Double's e^u stops there, and DoubleDouble's is 0.
template <int lift>
LASTLAYER_INLINE Double exponential(Double u) {
  const D x = larger(u.hi, splat(-700.0)), shifted = fma(x, splat(log2_e), splat(round_shift + lift));
  const D power = shifted - (round_shift + lift), r = fma(power, splat(-ln2_low), fma(power, splat(-ln2_high), x));
  const D e = fma(r * r, exponential_tail<Double>(r), r + 1.0);
  // Adds the power straight to the exponent's bits.
  return Double((D)((Bits)e + ((Bits)shifted << 52)));
}

template <int lift>
LASTLAYER_INLINE DoubleDouble exponential(DoubleDouble u) {
  if constexpr (lift == 0) return scaled(exponential<512>(u), splat(0x1p-512));
  constexpr double reach = -1050.0;
  const Mask is_far = u.hi < reach;
  const D x = is_far ? splat(reach) : u.hi, x_low = is_far ? D{} : u.lo;
  const D shifted = fma(x, splat(log2_e), splat(round_shift)), power = shifted - round_shift;
  // Exact; then rounded, with the rounding error kept.
  const D coarse = fma(power, splat(-ln2_high), x), r = fma(power, splat(-ln2_low), coarse);
  const D r_low = fma(power, splat(-ln2_low), coarse - r) + x_low;
  // 1 + r + r^2 q: the rounding error of 1 + r is added to the smaller terms.
  const D near = r + 1.0, small = fma(r * r, exponential_tail<DoubleDouble>(r), r - (near - 1.0));
  const DoubleDouble e = DoubleDouble::fast_two_sum(near, small);
  // Below the reach it is zero: a tiny number would show when it is multiplied by one near the largest.
  const D scale = is_far ? D{} : power_of_two(shifted, lift);
  return {e.hi * scale, fma(e.hi, r_low, e.lo) * scale};
}

// log of (v + low) * 2^exponent; -inf at zero, NaN below. `low` is the rounding error of a Double v.
template <class W>
inline W logarithm(W v, D exponent = D{}, D low = D{}) {
  // Moves v away from the ends of the exponent range, where the mantissa could not be divided by a power of two.
  const Mask is_small = v.hi < 0x1p-1000, is_large = v.hi > 0x1p1000;
  const D moved = is_small ? splat(200.0) : is_large ? splat(-200.0) : D{};
  const D by = is_small ? splat(0x1p200) : is_large ? splat(0x1p-200) : splat(1.0), lifted = v.hi * by;
  // The power that leaves a mantissa in [sqrt(1/2), sqrt(2)), as bits: biased, so that a logical shift works.
  constexpr uint64_t root = 0x3fe6a09e667f3bcdull, bias = 1023ull << 52;
  const Bits power = ((Bits)lifted - root + bias) >> 52;
  const D m = (D)((Bits)lifted - ((power - 1023ull) << 52));
  const D whole = (D)(power | 0x4330000000000000ull) - 0x1p52 - 1023.0;
  const D k = whole + exponent - moved;
  // One power after the other: for a subnormal v their product overflows.
  const D scale = (D)((2046ull - power) << 52);
  const W f = W::two_sum(m - 1.0, (W::is_double_double ? v.low() : low) * by * scale);
  // log(1 + f) = 2 artanh s, s = f / (2 + f), |s| < 0.172.
  const W s = f / (W::two_sum(splat(2.0), f.hi) + W(f.low()));
  const D z = s.hi * s.hi;
  constexpr int terms = W::is_double_double ? 12 : 8;
  D tail = splat(1.0 / (2 * terms + 1));
  for (int i = terms - 1; i >= 1; --i) tail = fma(tail, z, splat(1.0 / (2 * i + 1)));
  const D high = k * ln2_high, small = fma(k, splat(ln2_low), 2.0 * (s.low() + s.hi * (z * tail)));
  const W first = W::two_sum(high, 2.0 * s.hi);
  W result = W::fast_two_sum(first.hi, first.low() + small);
  const Mask is_usual = (v.hi > 0.0) & (v.hi < infinity);
  const D unusual = v.hi == 0.0 ? splat(-infinity) : v.hi == infinity ? v.hi : splat(not_a_number);
  return choose(is_usual, result, W(unusual));
}

// log(1 + u) with full relative accuracy for small u.
template <class W>
inline W log1p(W u) {
  const DoubleDouble s = DoubleDouble::two_sum(splat(1.0), u.hi);
  if constexpr (W::is_double_double) return logarithm(DoubleDouble::fast_two_sum(s.hi, s.lo + u.lo));
  return W(logarithm(Double(s.hi), D{}, s.hi < infinity ? s.lo : D{}).hi);
}

// log(total / max_term) for max_term > 0 and total = max_term + others, all normal, with full relative accuracy for
// small others. Takes one division.
template <class W>
LASTLAYER_INLINE W log_of_total(W max_term, W others, W total) {
  // The power of two next to total / max_term, by the exponents' bits: the quotient that remains is in [0.66, 1.51).
  const Bits power = ((Bits)total.hi - (Bits)max_term.hi + (1ull << 51)) >> 52;
  const D k = (D)(power | 0x4330000000000000ull) - 0x1p52, scale = (D)((1023ull - power) << 52);
  // log(2^k (1 + f)) = k log 2 + 2 artanh s, s = f / (2 + f), |s| < 0.201.
  const W rest = choose(k == 0.0, others, scaled(total, scale) - max_term),
          s = fast_quotient(rest, scaled(total, scale) + max_term);
  const D z = s.hi * s.hi;
  // (artanh(s) / s - 1) / s^2 by minimax polynomials, to 2^-59 or 2^-42.
  constexpr double fine[] = {0.333333333333333,   0.2000000000002899,  0.14285714277762573, 0.11111112164905317,
                             0.09090831960866841, 0.07695587318035173, 0.06586280425181082, 0.06924991223359789};
  constexpr double coarse[] = {0.33333333355717704, 0.19999992157127505, 0.14286605133375585, 0.11067129265540739,
                               0.10066096737341756};
  constexpr int degree = W::is_double_double ? 7 : 4;
  D tail = splat(W::is_double_double ? fine[7] : coarse[4]);
  for (int i = degree - 1; i >= 0; --i) tail = fma(tail, z, splat(W::is_double_double ? fine[i] : coarse[i]));
  const D small = fma(k, splat(ln2_low), 2.0 * fma(s.hi * z, tail, fma(s.low(), z, s.low())));
  const W first = W::two_sum(k * ln2_high, 2.0 * s.hi);
  return W::fast_two_sum(first.hi, first.low() + small);
}

LASTLAYER_INLINE double fma(double a, double b, double c) {
#if defined(__FMA__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// log(1 + u) for one number u >= 0: a vector's divisions would take longer than a scalar's.
inline double log1p(double u) {
  const double v = 1.0 + u, correction = u < 1.0 ? u - (v - 1.0) : 1.0 - (v - u);
  if (!(v < 0x1p1000)) return ::log(v);
  uint64_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  const int64_t power = int64_t(bits - 0x3fe6a09e667f3bcdull + (1023ull << 52)) >> 52;
  const uint64_t mantissa = bits - (uint64_t(power - 1023) << 52), inverse = uint64_t(2046 - power) << 52;
  double m, scale;
  __builtin_memcpy(&m, &mantissa, sizeof m);
  __builtin_memcpy(&scale, &inverse, sizeof scale);
  const double k = double(power - 1023), f = (m - 1.0) + correction * scale, s = f / (2.0 + f), z = s * s, y = z * z;
  // Even and odd powers separately: two dependency chains, each half as long.
  double even = 1.0 / 23.0, odd = 1.0 / 25.0;
  for (int i = 9; i >= 1; i -= 2) {
    even = fma(even, y, 1.0 / (2 * i + 1));
    odd = fma(odd, y, 1.0 / (2 * i + 3));
  }
  return k * ln2_high + (2.0 * s + (2.0 * s * (z * fma(odd, z, even)) + k * ln2_low));
}

LASTLAYER_INLINE D tanh(D x) {
  const D size = absolute(x);
  const DoubleDouble tail = exponential<0>(DoubleDouble(-2.0 * size));
  // 1 - e^(-2x) from both parts of the exponential; the Taylor series near zero.
  const DoubleDouble rest = DoubleDouble::two_sum(splat(1.0), -tail.hi);
  const D far = (rest.hi + (rest.lo - tail.lo)) / (1.0 + tail.hi);
  const D z = x * x;
  D series = fma(splat(62.0 / 2835.0), z, splat(-17.0 / 315.0));
  series = fma(fma(series, z, splat(2.0 / 15.0)), z, splat(-1.0 / 3.0));
  const D near = fma(size * z, series, size);
  const D result = size < 0.03125 ? near : far;
  // Keeps the sign of zero: mappings with a pole at zero need it.
  const D with_sign = (D)((Bits)result | ((Bits)x & 0x8000000000000000ull));
  return x == x ? with_sign : x;
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
