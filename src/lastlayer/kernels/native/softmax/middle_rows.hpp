// A tile of rows along the lanes, each longer than a vector: the passes go along the rows, and per-row work is done for
// all rows of the tile at once.
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../simd/nontemporal.hpp"
#include "../simd/permutations.hpp"
#include "../simd/vectors.hpp"
#include "../thresholds.hpp"
#include "passes.hpp"
#include "term_sums.hpp"
#include "terms.hpp"
#include "tile.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class T>
class MiddleRows : public TileRows<T, 1> {
  using Base = TileRows<T, 1>;
  using V = Vector<T>;
  // For a vector along a row, not one with a row in each lane.
  using Halves = RowNumbers<T, Lanes<T>::count / lanes>;

 public:
  using Base::groups;
  using Base::n;
  using typename Base::Labels;
  using typename Base::W;
  static constexpr int width = Lanes<T>::count;
  static_assert(2 * sizeof(T) * thresholds::softmax_tile_classes <= thresholds::tile_bytes,
                "a tile has at least two rows");
  static constexpr bool has_nontemporal = can_store_nontemporal<T>;

  // As many rows as fit into the level-1 cache with their results. If the total is enough, a tile takes little time,
  // and the next tile must fit too. An even number, because rows are computed in pairs.
  static int rows_per_tile(int64_t classes, bool is_total_enough) {
    const int64_t bytes = is_total_enough && sizeof(T) == 4 ? thresholds::tile_bytes_for_total : thresholds::tile_bytes,
                  fit = bytes / int64_t(sizeof(T)) / whole(classes);
    return fit >= n ? n : int(fit / 2) * 2;
  }

  // The first pass. It may run while the previous tile's results are not yet written.
  static V begin(const T* scores, int rows, int64_t classes) { return largest_of(scores, rows, classes); }

  // The doubles that a tile's terms take, behind a vector of padding.
  static constexpr int64_t memory_size(int64_t) { return thresholds::tile_bytes / 8 + lanes; }

  // Terms that become results wait in `memory`, which is in cache. The memory of results is not prefetched if it is
  // written with non-temporal stores.
  MiddleRows(const T* scores, T* results, bool is_nontemporal, bool keeps_terms, int rows, int64_t classes, T* memory,
             V largest)
      : Base(largest),
        x_(scores),
        results_(results),
        terms_(keeps_terms ? memory + width : nullptr),
        classes_(classes),
        stride_(whole(classes)),
        rows_(rows),
        prefetch_{0, is_nontemporal ? nullptr : results, is_nontemporal} {}

  V scores_of(const Labels& labels) const { return pick(x_, classes_, labels); }
  V terms_of(const Labels& labels) const { return pick(terms_, stride_, labels); }

  // The sum of max - x of each row in a group.
  D distance(int group) const {
    D sum{};
    for (int i = 0; i < lanes && group * lanes + i < rows_; ++i) {
      const T* row = x_ + (group * lanes + i) * classes_;
      const double max_score = double(this->largest[group * lanes + i]);
      D distances{};
      over_vectors(row, classes_, T(max_score), [&](V v, int64_t, int) {
        for (int half = 0; half < width / lanes; ++half) distances += max_score - Halves::widen_group(v, half).hi;
      });
      sum[i] = sum_of(Double(distances)).hi;
    }
    return sum;
  }

  void compute_terms(const bool* skip, int64_t ahead) {
    compute_terms_for_total(skip, ahead);
    for (int group = 0; group < groups; ++group) {
      const Mask where = this->is_confident(group, ExponentialConstants<T>::confident(classes_, stride_ / width));
      if (!has_any(where)) continue;
      W recomputed = this->others[group];
      for (int i = 0; i < lanes; ++i) {
        const int row = group * lanes + i;
        if (!where[i] || row >= rows_ || (skip && skip[row])) continue;
        const T* stored = terms_ ? terms_ + row * stride_ : nullptr;
        const ScalarDoubleDouble sum =
            sum_others(x_ + row * classes_, stored, classes_, this->stored_max_term[row], this->exponents.of(row));
        recomputed.hi[i] = sum.hi;
        if constexpr (W::is_double_double) recomputed.lo[i] = sum.lo;
      }
      this->set_others(where, group, recomputed);
    }
  }
  // The same for probabilities, which do not need the others apart.
  LASTLAYER_INLINE void compute_terms_for_total(const bool* skip, int64_t ahead) {
    W sums[n];
    const auto is_far = this->exponents.offset != V{};
    if (!skip && rows_ % 2 == 0 && !has_any((Mask)is_far)) {
      for (int row = 0; row < rows_; row += 2) add_terms_of_rows<false, 2>(row, ahead, sums);
      for (int row = rows_; row < n; ++row) sums[row] = W(D{});
    } else {
      for (int row = 0; row < n; ++row) {
        sums[row] = W(D{});
        if (row < rows_ && !(skip && skip[row]))
          is_far[row] ? add_terms_of_rows<true, 1>(row, ahead, sums) : add_terms_of_rows<false, 1>(row, ahead, sums);
      }
    }
    const W folded = fold_each<n>(sums, [](W a, W b) { return a + b; });
    this->set_sums(&folded);
  }

  void multiply(const W* factor, const double* shares, const bool* skip) {
    const typename Base::Factors factors(factor);
    const auto is_wide = factors.is_wide();
    for (int row = 0; row < rows_; ++row) {
      if (skip && skip[row]) continue;
      const T* from = terms_ + row * stride_;
      T* to = results_ + row * classes_;
      if (shares || is_wide[row])
        lastlayer::LASTLAYER_ISA::multiply(from, to, classes_, factor[row / lanes].hi[row % lanes],
                                           factor[row / lanes].low()[row % lanes], shares ? shares[row] : 0.0);
      else
        multiply_row(from, to, factors.hi[row], factors.lo[row], !skip && row + 1 < rows_);
    }
  }
  void set(const Labels& labels, V values, const bool* skip) {
    for (int row = 0; row < rows_; ++row)
      if (!skip || !skip[row]) results_[row * classes_ + labels.of_rows[row]] = values[row];
  }

  // Writes with non-temporal stores, without shares; with a label entry in each row if there are labels.
  void write_nontemporal(const W* factor, const Labels* labels, V entries, const bool* skip,
                         NonTemporalWriter<T>& lines) {
    const typename Base::Factors factors(factor);
    const auto is_wide = factors.is_wide();
    for (int row = 0; row < rows_; ++row) {
      const T* from = terms_ + row * stride_;
      T* to = results_ + row * classes_;
      const bool is_skipped = skip && skip[row];
      if (is_skipped || is_wide[row]) lines.close();
      if (is_skipped) continue;
      const Factor<T> products = {factors.hi[row], factors.lo[row]};
      if (is_wide[row]) {
        lastlayer::LASTLAYER_ISA::multiply(from, to, classes_, factor[row / lanes].hi[row % lanes],
                                           factor[row / lanes].low()[row % lanes], 0.0);
        if (labels) to[labels->of_rows[row]] = entries[row];
      } else if (labels) {
        lines.add(from, classes_, to, Gradients<T>{products, labels->of_rows[row], entries[row]});
      } else {
        lines.add(from, classes_, to, products);
      }
    }
  }
  void write_logarithms_nontemporal(V log_sum, T* out, const bool* skip, NonTemporalWriter<T>& lines) const {
    for (int row = 0; row < rows_; ++row) {
      if (skip && skip[row])
        lines.close();
      else
        lines.add(x_ + row * classes_, classes_, out + row * classes_, Logarithms<T>{this->largest[row], log_sum[row]});
    }
  }

  // The results are already in place.
  void write(T*, const bool*) const {}
  void write_logarithms(V log_sum, T* out, const bool* skip) const {
    for (int row = 0; row < rows_; ++row) {
      const Logarithms<T> make = {this->largest[row], log_sum[row]};
      T* to = out + row * classes_;
      if (!skip || !skip[row])
        over_vectors(x_ + row * classes_, classes_, T(0),
                     [&](V v, int64_t j, int count) { store_some(to + j, make(v), count); });
    }
  }

 private:
  static V largest_of(const T* scores, int rows, int64_t classes) {
    V of_rows[n];
    for (int i = 0; i < n; ++i) of_rows[i] = i < rows ? largest_lanes(scores + i * classes, classes) : of_rows[0];
    return fold_each<n>(of_rows, [](V a, V b) { return larger(a, b); });
  }

  V pick(const T* values, int64_t stride, const Labels& labels) const {
    alignas(64) T picked[width] = {};
    for (int i = 0; i < n; ++i) picked[i] = values[(i < rows_ ? i : 0) * stride + labels.of_rows[i < rows_ ? i : 0]];
    return load(picked);
  }

  // Row length rounded up to whole vectors.
  static int64_t whole(int64_t classes) { return (classes + width - 1) / width * width; }

  // Unrolled over rows, so that their operations overlap.
  template <bool is_far, int count>
  LASTLAYER_INLINE void add_terms_of_rows(int first, int64_t ahead, W* sums) {
    const auto pass = [&](auto keep, auto what) __attribute__((always_inline)) {
      const T* x = x_ + first * classes_;
      const T* results = results_ + first * classes_;
      T* stored = terms_ + first * stride_;
      const int64_t classes = classes_, stride = stride_;
      RowExponents<T, T> exponents[count];
      for (int i = 0; i < count; ++i) exponents[i] = this->exponents.of(first + i);
      TermSum<T> here[count];
      for (int64_t j = 0; j < classes; j += width) {
        const int left = int(classes - j);
        Vector<T> v[count];
        Terms<T> w[count];
        for (int i = 0; i < count; ++i) {
          // In the order of memory.
          prefetch_line<what.value>(x + ahead + count * j + i * width, results + count * j + i * width);
          const T* from = x + i * classes + j;
          v[i] = left >= width ? load(from) : load_some(from, left, -T(infinity));
        }
        term_vectors<is_far, count>(v, exponents, w);
        for (int i = 0; i < count; ++i) {
          if constexpr (keep.value) store<T>(stored + i * stride + j, w[i].hi);
          here[i].add(w[i]);
        }
      }
      for (int i = 0; i < count; ++i) sums[first + i] = here[i].lane_sums();
    };
    with_prefetch_kind(prefetch_, [&](auto what) __attribute__((always_inline)) {
      terms_ ? pass(Constant<true>(), what) : pass(Constant<false>(), what);
    });
  }

  // May write beyond the row, into the next one, which is written later.
  LASTLAYER_INLINE void multiply_row(const T* from, T* to, T hi, T lo, bool is_free_beyond) const {
    const int64_t whole_end = is_free_beyond ? classes_ : classes_ - width + 1;
    int64_t j = 0;
    for (; j < whole_end; j += width) store<T>(to + j, times(load(from + j), hi, lo));
    if (j < classes_) store_some<T>(to + j, times(load(from + j), hi, lo), int(classes_ - j));
  }

  const T* x_;
  T *results_, *terms_;  // null if there are none
  int64_t classes_, stride_;
  int rows_;
  Prefetch<T> prefetch_;
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
