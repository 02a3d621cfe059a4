// Vector-Jacobian products of results, without the scores.
#pragma once

#include <math.h>

#include "../api/requests.hpp"
#include "../arithmetic/elementary.hpp"
#include "../simd/elements.hpp"
#include "../simd/permutations.hpp"
#include "../softmax/passes.hpp"
#include "../softmax/term_sums.hpp"
#include "../softmax/terms.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// For probabilities: s (v - t) with t = sum(s v) / sum(s), because the Jacobian is diag(s) - s s^T / sum(s).

template <class T>
void vjp_of_probabilities(const VjpRequest& r, int64_t begin, int64_t end) {
  const int64_t whole = r.classes / lanes * lanes;
  const int rest = int(r.classes - whole);
  for (int64_t i = begin; i < end; ++i) {
    const T* s = static_cast<const T*>(r.slopes) + i * r.classes;
    const T* v = static_cast<const T*>(r.cotangents) + i * r.classes;
    T* out = static_cast<T*>(r.out) + i * r.classes;
    D product_sum{}, total{};
    const auto add = [&](D slope, D cotangent) {
      product_sum += slope * cotangent;
      total += slope;
    };
    for (int64_t j = 0; j < whole; j += lanes) add(load_wide(s + j), load_wide(v + j));
    if (rest) add(load_wide_some(s + whole, rest), load_wide_some(v + whole, rest));
    const auto sum = [](D of) { return fold(of, [](D a, D b) { return a + b; })[0]; };
    const double all_slopes = sum(total), mean = sum(product_sum) / (all_slopes <= 0.0 ? 1.0 : all_slopes);
    for (int64_t j = 0; j < whole; j += lanes)
      store_rounded(out + j, load_wide(s + j) * (load_wide(v + j) - splat(mean)));
    if (rest)
      store_rounded_some(out + whole, load_wide_some(s + whole, rest) * (load_wide_some(v + whole, rest) - splat(mean)),
                         rest);
  }
}

// e^x - 1 for x in [-ln(2)/2, 0], with full relative accuracy near zero.
LASTLAYER_INLINE D exponential_less_one(D x) { return fma(x * x, exponential_tail<DoubleDouble>(x), x); }
LASTLAYER_INLINE Vector<float> exponential_less_one(Vector<float> x) {
  return joined(narrowed(exponential_less_one(widened(low_half(x)))),
                narrowed(exponential_less_one(widened(high_half(x)))));
}

// For softmax's logarithms: v - p sum(v), as v (1 - p) - p (sum(v) - v). If the whole cotangent is on one class, its
// entry depends on the other classes alone.
template <class T>
void vjp_of_logarithms(const VjpRequest& r, int64_t begin, int64_t end) {
  const RowExponents<T, T> exponents(T(0));
  const Vector<T> unlift = splat(T(ExponentialConstants<T>::unlift));
  for (int64_t i = begin; i < end; ++i) {
    const T* logarithms = static_cast<const T*>(r.slopes) + i * r.classes;
    const T* cotangents = static_cast<const T*>(r.cotangents) + i * r.classes;
    T* out = static_cast<T*>(r.out) + i * r.classes;
    Sum<T> sum;
    over_vectors(cotangents, r.classes, T(0), [&](Vector<T> v, int64_t, int) { sum.add(v); });
    const ScalarDoubleDouble sum_of_cotangents = sum.total();
    if (sizeof(T) == 4 && !(fabs(sum_of_cotangents.hi) < 0x1p126)) {
      // The differences below would overflow in float32.
      for (int64_t j = 0; j < r.classes; ++j) {
        const double x = double(logarithms[j]), v = double(cotangents[j]);
        out[j] = T(v * -expm1(x) - (sum_of_cotangents.hi - v) * exp(x));
      }
      continue;
    }
    const Vector<T> high = splat(T(sum_of_cotangents.hi)),
                    low = splat(T((sum_of_cotangents.hi - double(T(sum_of_cotangents.hi))) + sum_of_cotangents.lo));
    over_vectors(
        logarithms, r.classes, -T(infinity), [&](Vector<T> x, int64_t j, int count) __attribute__((always_inline)) {
          const Vector<T> v = count == Lanes<T>::count ? load(cotangents + j) : load_some(cotangents + j, count, T(0));
          const Vector<T> p = compute_term<false>(x, exponents).hi * unlift;
          Vector<T> rest = T(1) - p;
          const auto is_likely = x > T(-0.34);
          if (has_any((Mask)is_likely)) rest = is_likely ? -exponential_less_one(x) : rest;
          store_some(out + j, v * rest - ((high - v) + low) * p, count);
        });
  }
}

void vjp(const VjpRequest& r, int64_t begin, int64_t end) {
  const bool is_wide = r.element == Element::float64;
  if (r.is_of_logarithms)
    is_wide ? vjp_of_logarithms<double>(r, begin, end) : vjp_of_logarithms<float>(r, begin, end);
  else
    is_wide ? vjp_of_probabilities<double>(r, begin, end) : vjp_of_probabilities<float>(r, begin, end);
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
