// How a block's rows lie in vectors. With few classes each lane holds a row, and there is a vector per class. With
// many, one row lies along the lanes. A number per row is a vector in both: one lane per row, or the same number in
// every lane.
#pragma once

#include "../api/requests.hpp"
#include "../arithmetic/double_double.hpp"
#include "../runtime/workspace.hpp"
#include "../simd/elements.hpp"
#include "../simd/half_types.hpp"
#include "../simd/permutations.hpp"
#include "../simd/vectors.hpp"
#include "../thresholds.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

static_assert(lanes <= widest_lanes);

struct Layout {
  int64_t classes, steps;
  int rows;
  bool has_row_per_lane;

  // The rows of a block.
  static int block(int64_t classes) { return classes <= thresholds::row_per_lane_classes ? lanes : 1; }

  Layout(int64_t classes, int rows)
      : classes(classes), rows(rows), has_row_per_lane(classes <= thresholds::row_per_lane_classes) {
    steps = has_row_per_lane ? classes : (classes + lanes - 1) / lanes;
  }

  // The classes that vector `step` holds, and whether some of its lanes lie beyond the last class.
  Mask index(int64_t step) const {
    return has_row_per_lane ? splat_integer(step) : place_numbers<double>() + step * lanes;
  }
  bool is_partial(int64_t step) const { return !has_row_per_lane && (step + 1) * lanes > classes; }
  D only_classes(int64_t step, D x, D otherwise = D{}) const {
    return is_partial(step) ? (index(step) < splat_integer(classes) ? x : otherwise) : x;
  }
  template <class W>
  W only_classes(int64_t step, W x) const {
    return is_partial(step) ? choose(index(step) < splat_integer(classes), x, W(D{})) : x;
  }

  // Reductions over the classes of each row, after all vectors have been accumulated lane by lane.
  D largest(D v) const {
    return has_row_per_lane ? v : fold(v, [](D a, D b) { return larger(a, b); });
  }
  Mask any(Mask mask) const { return has_row_per_lane ? mask : splat_integer(has_any(mask) ? -1 : 0); }
  D sum(D v) const {
    return has_row_per_lane ? v : fold(v, [](D a, D b) { return a + b; });
  }
  Double sum(Double v) const { return Double(sum(v.hi)); }
  DoubleDouble sum(DoubleDouble v) const {
    if (has_row_per_lane) return v;
    const auto add = [](Two<DoubleDouble> a, Two<DoubleDouble> b) {
      return Two<DoubleDouble>{a.first + b.first, a.second};
    };
    return joined(Two<DoubleDouble>{v, v}, add).first;
  }

  // With a row along the lanes: reduces pairs of numbers over the lanes.
  template <class W>
  struct Two {
    W first, second;
  };
  template <class W, int width = lanes / 2, class Join>
  static Two<W> joined(Two<W> a, Join join) {
    if constexpr (width == 0)
      return a;
    else
      return joined<W, width / 2>(join(a, Two<W>{rotated_wide<width>(a.first), rotated_wide<width>(a.second)}), join);
  }
  template <int width>
  static Double rotated_wide(Double v) {
    return Double(rotated<width>(v.hi));
  }
  template <int width>
  static DoubleDouble rotated_wide(DoubleDouble v) {
    return {rotated<width>(v.hi), rotated<width>(v.lo)};
  }

  // Each row's number at one class, from vectors at `from`. The classes must be in range.
  D pick(const double* from, Mask index) const {
    if (!has_row_per_lane) return splat(from[index[0]]);
    D v{};
    for (int i = 0; i < lanes; ++i) v[i] = from[index[i] * lanes + i];
    return v;
  }
  // One number per class, for vector `step`.
  D of_classes(const double* each, int64_t step) const {
    if (has_row_per_lane) return splat(each[step]);
    if (!is_partial(step)) return load(each + step * lanes);
    D v{};
    for (int64_t j = step * lanes; j < classes; ++j) v[j - step * lanes] = each[j];
    return v;
  }
  // One number per row. Lanes without a row repeat the first one.
  template <class T>
  Vector<T> of_rows(const T* each) const {
    Vector<T> v{};
    for (int i = 0; i < lanes; ++i) v[i] = each[i < rows ? i : 0];
    return v;
  }
  Mask of_rows(const int64_t* each) const {
    Mask v{};
    for (int i = 0; i < lanes; ++i) v[i] = each[i < rows ? i : 0];
    return v;
  }
};

// A square of scores from class `from` on, a row in each lane. Missing rows repeat the first one.
template <class E>
LASTLAYER_INLINE void load_square(const E* scores, const Layout& layout, int64_t from, D* square) {
  const int64_t left = layout.classes - from;
  for (int i = 0; i < lanes; ++i) {
    const E* row = scores + (i < layout.rows ? i : 0) * layout.classes + from;
    square[i] = left >= lanes ? load_wide(row) : load_wide_some(row, int(left));
  }
  transpose(square);
}

// Calls work(step, which) for every vector, unrolled, so that the accumulators of different `which` overlap; then
// join(which) for all but the first.
template <int unroll, class Work, class Join>
LASTLAYER_INLINE void over_steps(const Layout& layout, Work work, Join join) {
  int64_t step = 0;
  for (; step + unroll <= layout.steps; step += unroll)
    for (int which = 0; which < unroll; ++which) work(step + which, which);
  for (int which = 1; which < unroll; ++which) join(which);
  for (; step < layout.steps; ++step) work(step, 0);
}

// One row's scores in place, one vector per step. Lanes beyond the classes hold its first score. Vectors that are read
// often may be stored in `room`, widened.
template <class E>
class ScoresInPlace {
 public:
  static constexpr bool is_copy = false;
  ScoresInPlace(const E* row, const Layout& layout, double* room)
      : row_(row), room_(room), whole_(layout.classes / lanes) {
    if (whole_ < layout.steps) {
      const D last = load_wide_some(row + whole_ * lanes, int(layout.classes - whole_ * lanes));
      last_ = layout.only_classes(whole_, last, splat(load_wide_one(row)));
    }
  }
  LASTLAYER_INLINE D operator()(int64_t step) const { return step < whole_ ? load_wide(row_ + step * lanes) : last_; }
  void store_wide(int64_t step, D x) { store(room_ + step * lanes, x); }
  D stored(int64_t step) const { return load(room_ + step * lanes); }
  D pick(const Layout&, Mask index) const { return splat(load_wide_one(row_ + index[0])); }
  void leave_nothing_beyond(const Layout& layout) {
    if (whole_ < layout.steps) last_ = layout.only_classes(whole_, last_, splat(-infinity));
  }

 private:
  const E* row_;
  double* room_;
  int64_t whole_;
  D last_{};
};

// A copy of a block's scores, in which edge cases may be overwritten.
class ScoresCopied {
 public:
  static constexpr bool is_copy = true;
  ScoresCopied(double* x) : x_(x) {}
  LASTLAYER_INLINE D operator()(int64_t step) const { return load(x_ + step * lanes); }
  void set(int64_t step, D x) { store(x_ + step * lanes, x); }
  void store_wide(int64_t, D) {}
  D stored(int64_t step) const { return (*this)(step); }
  D pick(const Layout& layout, Mask index) const { return layout.pick(x_, index); }
  // Sets the lanes beyond the classes to -inf.
  void leave_nothing_beyond(const Layout& layout) {
    const int64_t last = layout.steps - 1;
    if (last >= 0 && layout.is_partial(last)) set(last, layout.only_classes(last, (*this)(last), splat(-infinity)));
  }

 private:
  double* x_;
};

// Loads a block's scores into `x`, one vector per step.
template <class E>
inline void load_block(const E* scores, const Layout& layout, double* x) {
  if (!layout.has_row_per_lane) {
    const ScoresInPlace<E> row(scores, layout, nullptr);
    const int64_t whole = layout.classes / lanes;
    for (int64_t step = 0; step < whole; ++step) store(x + step * lanes, load_wide(scores + step * lanes));
    if (whole < layout.steps) store(x + whole * lanes, row(whole));
    return;
  }
  D square[lanes];
  for (int64_t from = 0; from < layout.classes; from += lanes) {
    load_square(scores, layout, from, square);
    for (int64_t j = from; j < layout.classes && j < from + lanes; ++j) store(x + j * lanes, square[j - from]);
  }
}

// Stores a block of results from `x`, each rounded once.
template <class E>
inline void store_block(E* out, const Layout& layout, const double* x) {
  if (!layout.has_row_per_lane) {
    const int64_t whole = layout.classes / lanes;
    for (int64_t step = 0; step < whole; ++step) store_rounded(out + step * lanes, load(x + step * lanes));
    if (whole < layout.steps)
      store_rounded_some(out + whole * lanes, load(x + whole * lanes), int(layout.classes - whole * lanes));
    return;
  }
  D square[lanes];
  for (int64_t from = 0; from < layout.classes; from += lanes) {
    const int64_t left = layout.classes - from;
    for (int i = 0; i < lanes; ++i) square[i] = i < left ? load(x + (from + i) * lanes) : D{};
    transpose(square);
    for (int i = 0; i < layout.rows; ++i) {
      E* row = out + i * layout.classes + from;
      left >= lanes ? store_rounded(row, square[i]) : store_rounded_some(row, square[i], int(left));
    }
  }
}

// Stores one result per row.
template <class E>
inline void store_rows(E* out, const Layout& layout, D v) {
  store_rounded_some(out, v, layout.has_row_per_lane ? layout.rows : 1);
}

// Calls then(element) with an element of the type that `element` names.
template <class Then>
LASTLAYER_INLINE void with_type(Element element, Then then) {
  switch (element) {
    case Element::float32: return then(float());
    case Element::float64: return then(double());
    case Element::float16: return then(Float16());
    case Element::bfloat16: return then(BFloat16());
  }
}

// The same three for the rows from `first` on, with the element type chosen at run time. One call per block costs no
// measurable time, and the code between these calls is compiled once for all element types. The layout goes by
// reference: a copy for every call took 3 % of an evaluation and more.
__attribute__((noinline)) void load_block(Element element, const void* scores, int64_t first, const Layout& layout,
                                          double* x) {
  with_type(element, [&](auto type) {
    load_block(static_cast<const decltype(type)*>(scores) + first * layout.classes, layout, x);
  });
}
__attribute__((noinline)) void store_block(Element element, void* out, int64_t first, const Layout& layout,
                                           const double* x) {
  with_type(element,
            [&](auto type) { store_block(static_cast<decltype(type)*>(out) + first * layout.classes, layout, x); });
}
__attribute__((noinline)) void store_rows(Element element, void* out, int64_t first, const Layout& layout, const D& v) {
  with_type(element, [&](auto type) { store_rows(static_cast<decltype(type)*>(out) + first, layout, v); });
}

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
