// The largest score of a row and its first class, as they are stored: before softcap and temperature.
#pragma once

#include "../simd/elements.hpp"
#include "../simd/permutations.hpp"
#include "../simd/vectors.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

// Half types are read as float32.
template <class E>
struct ReadAs {
  using Type = float;
};
template <>
struct ReadAs<double> {
  using Type = double;
};

template <class E>
LASTLAYER_INLINE Vector<typename ReadAs<E>::Type> load_vector(const E* from) {
  if constexpr (is_half<E>)
    return Coding<E, Lanes<float>::count>::widen(load_halves<Lanes<float>::count>(from));
  else
    return load(from);
}
// The first `count` lanes; the others are `filler`.
template <class E>
LASTLAYER_INLINE Vector<typename ReadAs<E>::Type> load_vector_some(const E* from, int count,
                                                                   typename ReadAs<E>::Type filler) {
  if constexpr (is_half<E>) {
    constexpr int n = Lanes<float>::count;
    const Vector<float> v = Coding<E, n>::widen(load_halves_some<n>(from, count));
    return place_numbers<float>() < count ? v : splat(filler);
  } else {
    return load_some(from, count, filler);
  }
}

template <class E>
struct Peak {
  using T = typename ReadAs<E>::Type;
  T score;  // NaN if any score is
  int64_t place;

  static Peak of(const E* x, int64_t classes) {
    constexpr int n = Lanes<T>::count, unroll = 4;
    Vector<T> best[unroll];
    typename Lanes<T>::Integers is_nan{};
    for (int i = 0; i < unroll; ++i) best[i] = splat(-T(infinity));
    int64_t j = 0;
    for (; j + unroll * n <= classes; j += unroll * n)
      for (int i = 0; i < unroll; ++i) {
        const Vector<T> v = load_vector(x + j + i * n);
        is_nan |= v != v;
        best[i] = larger(v, best[i]);
      }
    for (; j < classes; j += n) {
      const Vector<T> v =
          j + n <= classes ? load_vector(x + j) : load_vector_some(x + j, int(classes - j), -T(infinity));
      is_nan |= v != v;
      best[0] = larger(v, best[0]);
    }
    const auto all = larger(larger(best[0], best[1]), larger(best[2], best[3]));
    const T largest = fold(all, [](Vector<T> a, Vector<T> b) { return larger(a, b); })[0];
    if (has_any((Mask)is_nan)) return {T(not_a_number), first(x, classes, [](Vector<T> v) { return v != v; })};
    return {largest, first(x, classes, [=](Vector<T> v) { return v == splat(largest); })};
  }

 private:
  template <class Is>
  static int64_t first(const E* x, int64_t classes, Is is) {
    constexpr int n = Lanes<T>::count;
    for (int64_t j = 0; j < classes; j += n) {
      const int count = classes - j < n ? int(classes - j) : n;
      const auto found = is(count == n ? load_vector(x + j) : load_vector_some(x + j, count, T(0)));
      if (!has_any((Mask)found)) continue;
      for (int i = 0; i < count; ++i)
        if (found[i]) return j + i;
    }
    return 0;
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
