// A tile with a row in each lane: rows of few classes are transposed, so that short rows fill whole vectors.
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../simd/short_row_transpose.hpp"
#include "../simd/vectors.hpp"
#include "../thresholds.hpp"
#include "term_sums.hpp"
#include "terms.hpp"
#include "tile.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T>
class FewRows : public TileRows<T, Lanes<T>::count / lanes> {
  using Base = TileRows<T, Lanes<T>::count / lanes>;
  using V = Vector<T>;

 public:
  using Base::groups;
  using Base::n;
  using typename Base::Labels;
  using typename Base::W;

  static constexpr bool has_nontemporal = false;  // transposing back costs more than the memory traffic it would save
  static int rows_per_tile(int64_t, bool) { return n; }
  static V begin(const T*, int, int64_t) { return V{}; }

  // The doubles that two tiles take: scores and terms.
  static constexpr int64_t memory_size(int64_t classes) { return 2 * classes * lanes; }

  FewRows(const T* scores, const T* results, bool, bool, int rows, int64_t classes, T* memory, V)
      : Base(read(scores, rows, classes, memory)),
        scores_(scores),
        results_(results ? results : scores),
        x_(memory),
        terms_(memory + classes * n),
        classes_(classes),
        rows_(rows) {}

  V scores_of(const Labels& labels) const { return pick(x_, labels); }
  V terms_of(const Labels& labels) const { return pick(terms_, labels); }

  // The sum of max - x of each row in a group.
  D distance(int group) const {
    D sum{};
    const D max_score = Base::wide(this->largest, group).hi;
    for (int64_t j = 0; j < classes_; ++j) sum += max_score - Base::wide(load(x_ + j * n), group).hi;
    return sum;
  }

  // Computes the terms and their sums; prefetches the scores `ahead` and the memory of results.
  void compute_terms(const bool*, int64_t ahead) {
    is_summed_wide() ? sum_terms<Sum<T>>(ahead) : sum_terms<TermSum<T>>(ahead);
    separate();
  }
  // The same for probabilities, which do not need the others apart.
  void compute_terms_for_total(const bool*, int64_t ahead) { sum_terms<TermSum<T>>(ahead); }

  // Multiplies the terms by a factor per row; subtracts each row's uniform share, if shares are given.
  void multiply(const W* factor, const double* shares, const bool*) {
    const typename Base::Factors factors(factor);
    const auto is_wide = factors.is_wide();
    const bool is_any_wide = sizeof(T) == 4 && (shares || has_any((Mask)is_wide));
    for (int64_t j = 0; j < classes_; ++j) {
      const V w = load(terms_ + j * n);
      V p = times_each(w, factors.hi, factors.lo);
      if constexpr (sizeof(T) == 4) {
        if (is_any_wide) {
          D exact[groups];
          for (int i = 0; i < groups; ++i)
            exact[i] = Base::wide(w, i).hi * factor[i].hi - (shares ? load(shares + i * lanes) : D{});
          p = shares ? Base::narrow(exact) : is_wide ? Base::narrow(exact) : p;
        }
      } else {
        p = shares ? p - load(shares) : p;
      }
      store<T>(terms_ + j * n, p);
    }
  }
  void set(const Labels& labels, V values, const bool*) {
    if (classes_ <= thresholds::label_comparing_classes)
      for (int64_t j = 0; j < classes_; ++j)
        store<T>(terms_ + j * n, labels.of_lanes == typename Lanes<T>::Integer(j) ? values : load(terms_ + j * n));
    else
      for (int i = 0; i < n; ++i) terms_[labels.of_rows[i] * n + i] = values[i];
  }

  // Writes the rows, except those that `skip` marks if it is not null: the terms after multiply(), or (x - max) -
  // log(total / max_score).
  void write(T* out, const bool* skip) const { ShortRowTranspose<T>::write(terms_, rows_, classes_, out, skip); }
  void write_logarithms(V log_sum, T* out, const bool* skip) {
    for (int64_t j = 0; j < classes_; ++j) store<T>(x_ + j * n, (load(x_ + j * n) - this->largest) - log_sum);
    ShortRowTranspose<T>::write(x_, rows_, classes_, out, skip);
  }

 private:
  V pick(const T* values, const Labels& labels) const {
    V v = load(values);
    if (classes_ <= thresholds::label_comparing_classes)
      for (int64_t j = 1; j < classes_; ++j)
        v = labels.of_lanes == typename Lanes<T>::Integer(j) ? load(values + j * n) : v;
    else
      for (int i = 0; i < n; ++i) v[i] = values[labels.of_rows[i] * n + i];
    return v;
  }

  // Reads `rows` rows of scores, where missing rows repeat the first one, and returns their maxima.
  static V read(const T* scores, int rows, int64_t classes, T* x) {
    ShortRowTranspose<T>::read(scores, rows, classes, x);
    return largest_of(x, classes);
  }
  static V largest_of(const T* x, int64_t classes) {
    V m = load(x);
    for (int64_t j = 1; j < classes; ++j) m = larger(load(x + j * n), m);
    return m;
  }

  template <class Sums>
  void sum_terms(int64_t ahead) {
    Sums sum;
    int64_t j = 0;
    for (; j + unroll <= classes_; j += unroll) add_terms_of_rows<unroll>(j, ahead, sum);
    for (; j < classes_; ++j) add_terms_of_rows<1>(j, ahead, sum);
    W sums[groups];
    for (int i = 0; i < groups; ++i) sums[i] = sum.lane_sums_of(i);
    this->set_sums(sums);
  }
  // Unrolled over classes, so that their operations overlap.
  static constexpr int unroll = sizeof(T) == 8 ? 2 : 1;
  template <int count, class Sums>
  LASTLAYER_INLINE void add_terms_of_rows(int64_t first, int64_t ahead, Sums& sum) {
    V v[count];
    RowExponents<T, V> exponents[count];
    Terms<T> w[count];
    for (int i = 0; i < count; ++i) {
      __builtin_prefetch(scores_ + ahead + (first + i) * n);
      __builtin_prefetch(results_ + (first + i) * n, 1);
      v[i] = load(x_ + (first + i) * n);
      exponents[i] = this->exponents;
    }
    term_vectors<true, count>(v, exponents, w);
    for (int i = 0; i < count; ++i) {
      store<T>(terms_ + (first + i) * n, w[i].hi);
      sum.add(w[i]);
    }
  }

  // For very few float32 terms a sum in double is faster, and the others seldom lose digits in it.
  bool is_summed_wide() const { return sizeof(T) == 4 && classes_ <= thresholds::double_sum_classes; }
  Mask is_confident(int group) const {
    return Base::is_confident(group,
                              is_summed_wide() ? 0x1p-19 : ExponentialConstants<T>::confident(classes_, classes_));
  }
  void separate() {
    Mask is_any{};
    for (int i = 0; i < groups; ++i) is_any |= is_confident(i);
    if (!has_any(is_any)) return;
    Sum<T> sum;
    V best{};
    for (int64_t j = 0; j < classes_; ++j) {
      const V w = load(terms_ + j * n);
      sum.add(w < best ? w : best);
      best = larger(w, best);
    }
    for (int i = 0; i < groups; ++i) this->set_others(is_confident(i), i, sum.lane_sums_of(i));
  }

  static V times_each(V w, V hi, V lo) {
#if defined(__FMA__)
    return fma(w, hi, w * lo);
#else
    // Without fma the two products round twice.
    if constexpr (sizeof(T) == 8) {
      const DoubleDouble p = product(w, hi);
      return p.hi + (p.lo + w * lo);
    } else {
      for (int i = 0; i < n; ++i) w[i] = T(double(w[i]) * (double(hi[i]) + double(lo[i])));
      return w;
    }
#endif
  }

  const T *scores_, *results_;
  T *x_, *terms_;  // class by class
  int64_t classes_;
  int rows_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
