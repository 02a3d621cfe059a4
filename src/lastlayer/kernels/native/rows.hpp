// Every row of a request: which mapping, in which arithmetic, block by block. A block is read from memory once, and written
// once. Compiled once per instruction set, into the namespace LASTLAYER_ISA.
#include <math.h>
#include <stdlib.h>

#include <type_traits>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernels.hpp"

namespace lastlayer {
namespace LASTLAYER_ISA {
namespace {

// Nothing of the standard library's templates may be compiled here: the linker keeps one copy of each, and it could be the
// one for another processor.
#include "vectors.hpp"
#include "permutations.hpp"
#include "wide.hpp"
#include "elementary.hpp"
#include "halves.hpp"
#include "elements.hpp"
#include "layout.hpp"
#include "streams.hpp"
#include "transposed.hpp"
#include "activation.hpp"
#include "targets.hpp"
#include "normalized_weights.hpp"
#include "normalized.hpp"
#include "regularized.hpp"
#include "mappings/softmax.hpp"
#include "mappings/ratio.hpp"
#include "mappings/spherical.hpp"
#include "mappings/taylor.hpp"
#include "mappings/softplus_ratio.hpp"
#include "mappings/sigmoid_ratio.hpp"
#include "mappings/stablemax.hpp"
#include "mappings/hardmax.hpp"
#include "mappings/tsallis.hpp"

// The arrays that a block needs, of one number a class and lane each.
struct Workspace {
  double *x, *high, *low, *slope, *soft;
  Workspace(double* memory, const Layout& at) {
    const int64_t size = at.steps * lanes;
    x = memory;
    high = x + size;
    low = high + size;
    slope = low + size;
    soft = slope + size;
  }
};

// The results of one block after the other to where they belong, each rounded once.
template <class E>
class BlockResults {
  struct Same {
    static constexpr bool has_own = false;
    LASTLAYER_INLINE Vector<float> operator()(Vector<float> v, int64_t) const { return v; }
  };
  // Of whole vectors of scores, from results of halves at(place, scores).
  template <class At>
  struct Made {
    static constexpr bool has_own = false;
    At at;
    LASTLAYER_INLINE Vector<float> operator()(Vector<float> x, int64_t place) const {
      return joined(narrowed(at(place, widened(low_half(x)))), narrowed(at(place + lanes, widened(high_half(x)))));
    }
  };
  template <class At>
  struct MadeBut {
    static constexpr bool has_own = true;
    Made<At> others;
    int64_t place;
    float own;
    LASTLAYER_INLINE Vector<float> operator()(Vector<float> x, int64_t first) const {
      return place_numbers<float>() == Lanes<float>::Integer(place - first) ? splat(own) : others(x, first);
    }
  };

 public:
  BlockResults(bool is_streamed, int64_t classes) : is_streamed_(can_stream<E> && is_streamed && classes > few) {}
  BlockResults(const BlockResults&) = delete;
  ~BlockResults() {
    if (!is_streamed_) return;
    lines_.close();
    finish_streams();
  }

  // Those of a row, at(place, scores) of every vector, from its scores to where they belong; it may be the same place.
  template <class At>
  void make(const E* scores, const Layout& layout, E* out, At at) {
    if (is_streamed_) return stream_from<Made<At>>(scores, layout, out, {at});
    store_each(scores, layout, out, at);
  }
  // The same but for one class.
  template <class At>
  void make_but(int64_t own_place, double own, const E* scores, const Layout& layout, E* out, At at) {
    if (is_streamed_) return stream_from<MadeBut<At>>(scores, layout, out, {{at}, own_place, float(own)});
    store_each(scores, layout, out, at);
    store_rounded_one(out + own_place, own);
  }
  // From `x`, which does not keep them.
  void put(E* out, const Layout& at, double* x) {
    if (!is_streamed_) return store_block(out, at, x);
    if constexpr (can_stream<E>) {
      store_block(reinterpret_cast<E*>(x), at, x);
      lines_.add(reinterpret_cast<E*>(x), 0, at.classes, out, Same{});
    }
  }

 private:
  template <class Make>
  void stream_from(const E* scores, const Layout& layout, E* out, Make make) {
    if constexpr (can_stream<E>) lines_.add(scores, 0, layout.classes, out, make);
  }
  template <class At>
  static LASTLAYER_INLINE void store_each(const E* scores, const Layout& layout, E* out, At at) {
    int64_t place = 0;
    for (; place + lanes <= layout.classes; place += lanes) store_rounded(out + place, at(place, load_wide(scores + place)));
    const int left = int(layout.classes - place);
    if (left) store_rounded_some(out + place, at(place, load_wide_some(scores + place, left)), left);
  }

  bool is_streamed_;
  LineStream<float> lines_;
};

template <class E, class Rows>
struct Blocks {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const int64_t block = Layout::block(r.classes);
    if constexpr (can_read_in_place)
      if (r.classes > Rows::longest_copy) return evaluate_in_place(r, begin, end, memory);
    BlockResults<E> results(r.is_streamed && r.quantity != Quantity::log_partition, r.classes);
    for (int64_t i = begin; i < end; i += block) {
      const Layout at(r.classes, int(end - i < block ? end - i : block));
      evaluate_block(r, i, at, Workspace(memory, at), results);
    }
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const int64_t block = Layout::block(r.classes);
    if constexpr (can_read_in_place) {
      const bool is_plain = r.labels && r.label_smoothing == 0.0 && r.z_loss == 0.0 && r.activation.is_identity();
      if (is_plain && r.classes > Rows::longest_copy) return loss_in_place(r, begin, end, memory);
    }
    BlockResults<E> results(r.is_streamed, r.classes);
    for (int64_t i = begin; i < end; i += block) {
      const Layout at(r.classes, int(end - i < block ? end - i : block));
      loss_of_block(r, i, at, Workspace(memory, at), results);
    }
  }

 private:
  static constexpr bool can_read_in_place = Rows::reads_in_place && !is_half<E>;

  LASTLAYER_INLINE static void evaluate_block(
      const Evaluation& r, int64_t first, const Layout& at, const Workspace& w, BlockResults<E>& results) {
    load_block(static_cast<const E*>(r.scores) + first * r.classes, at, w.x);
    const Rows rows(at, w.x, w.high, w.low, r.at, first);
    E* out = static_cast<E*>(r.out);
    if (r.quantity == Quantity::log_partition) return store_rows(out + first, at, rows.log_partition());
    r.quantity == Quantity::probabilities ? rows.probabilities(w.high) : rows.log_probabilities(w.high);
    results.put(out + first * r.classes, at, w.high);
  }

  // Rows along the lanes, from where their scores are to where their results belong, with nothing between but weights that take
  // longer than memory. Odd ones go by a copy.
  static void evaluate_in_place(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    using InPlace = typename Rows::template Of<ScoresInPlace<E>>;
    const Layout at(r.classes, 1);
    const Workspace w(memory, at);
    BlockResults<E> results(r.is_streamed && r.quantity != Quantity::log_partition, r.classes);
    for (int64_t i = begin; i < end; ++i) {
      const E* scores = static_cast<const E*>(r.scores) + i * r.classes;
      const InPlace rows(at, ScoresInPlace<E>(scores, at, w.x), w.high, w.low, r.at, i);
      if (rows.is_odd()) {
        evaluate_block(r, i, at, w, results);
      } else if (r.quantity == Quantity::log_partition) {
        store_rows(static_cast<E*>(r.out) + i, at, rows.log_partition());
      } else {
        E* to = static_cast<E*>(r.out) + i * r.classes;
        if (r.quantity == Quantity::probabilities)
          results.make(scores, at, to, [&](int64_t place, D x)
                                       __attribute__((always_inline)) { return rows.probabilities_from(place, x); });
        else
          results.make(scores, at, to, [&](int64_t place, D x)
                                       __attribute__((always_inline)) { return rows.log_probabilities_from(place, x); });
      }
    }
  }

  static void loss_in_place(const Loss& r, int64_t begin, int64_t end, double* memory) {
    using InPlace = typename Rows::template Of<ScoresInPlace<E>>;
    const Layout at(r.classes, 1);
    const Workspace w(memory, at);
    BlockResults<E> results(r.is_streamed, r.classes);
    for (int64_t i = begin; i < end; ++i) {
      const E* scores = static_cast<const E*>(r.scores) + i * r.classes;
      const Targets targets(r, at, i, Rows::has_weights_in_sum, nullptr, [](double*) {});
      if (!has_any(targets.is_counted) || has_any(targets.poison != 0.0)) {
        loss_of_block(r, i, at, w, results);
        continue;
      }
      InPlace rows(at, ScoresInPlace<E>(scores, at, w.x), w.high, w.low, r.at, i);
      if (rows.is_odd()) {
        loss_of_block(r, i, at, w, results);
        continue;
      }
      store_rows(r.losses + i, at, rows.loss(targets, false, 0.0));
      if (!r.gradient) continue;
      E* to = static_cast<E*>(r.gradient) + i * r.classes;
      const typename InPlace::LabelSlopes slopes(rows, targets, r.gradient_scale);
      results.make_but(slopes.label, slopes.own, scores, at, to, [&](int64_t place, D x)
                                                                 __attribute__((always_inline)) { return slopes(place, x); });
    }
  }

  LASTLAYER_INLINE static void loss_of_block(
      const Loss& r, int64_t first, const Layout& at, const Workspace& w, BlockResults<E>& results) {
    E* gradient = r.gradient ? static_cast<E*>(r.gradient) + first * r.classes : nullptr;
    const Targets targets(r, at, first, Rows::has_weights_in_sum, w.soft, [&](double* to) {
      if (r.soft_element == Element::float32)
        load_block(static_cast<const float*>(r.soft_targets) + first * r.classes, at, to);
      else
        load_block(static_cast<const double*>(r.soft_targets) + first * r.classes, at, to);
    });
    D losses{};
    if (has_any(targets.is_counted)) {
      load_block(static_cast<const E*>(r.scores) + first * r.classes, at, w.x);
      const bool has_activation = !r.activation.is_identity();
      if (has_activation) activate(r.activation, at, w.x, gradient ? w.slope : nullptr);
      Rows rows(at, w.x, w.high, w.low, r.at, first);
      losses = rows.loss(targets, gradient, r.gradient_scale) + targets.poison;
      losses = targets.is_counted ? losses : D{};
      if (gradient) {
        const bool is_whole = !has_any(~targets.is_counted | (targets.poison != 0.0));
        for (int64_t step = 0; (has_activation || !is_whole) && step < at.steps; ++step) {
          D g = load(w.high + step * lanes);
          if (has_activation) g *= load(w.slope + step * lanes);
          store(w.high + step * lanes, targets.is_counted ? g + targets.poison : D{});
        }
        results.put(gradient, at, w.high);
      }
    } else if (gradient) {
      for (int64_t step = 0; step < at.steps; ++step) store(w.high + step * lanes, D{});
      results.put(gradient, at, w.high);
    }
    store_rows(r.losses + first, at, losses);
  }
};

#include "exponentials.hpp"
#include "row_passes.hpp"
#include "long_rows.hpp"
#include "long_softmax.hpp"
#include "soft_softmax.hpp"
#include "turned_rows.hpp"
#include "tile.hpp"
#include "few_rows.hpp"
#include "middle_rows.hpp"
#include "tile_softmax.hpp"
#include "products.hpp"

// Up to so many classes a row in each lane is faster than a row along them, and beyond so many one row at a time; of float32
// probabilities, whose tiles have least to do once a row is done, beyond more.
constexpr int64_t few_of_softmax = 56, middle_of_softmax = 288, middle_of_float32_probabilities = 512;

template <class E, class Rows>
struct HalfSoftmax;

// Softmax in its own precision; that of half types is float.
template <class E, class Rows>
struct SoftmaxRows {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    if constexpr (is_half<E>) {
      HalfSoftmax<E, Rows>::evaluate(r, begin, end, memory);
    } else {
      if (r.classes <= few_of_softmax) return TileSoftmax<E, Rows, FewRows<E>>::evaluate(r, begin, end, memory);
      const bool has_more = sizeof(E) == 4 && r.quantity == Quantity::probabilities;
      if (r.classes <= (has_more ? middle_of_float32_probabilities : middle_of_softmax))
        return TileSoftmax<E, Rows, MiddleRows<E>>::evaluate(r, begin, end, memory);
      LongSoftmax<E, Rows>::evaluate(r, begin, end, memory);
    }
  }
  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    // Of scores that reach the mapping as they are; float64 has no passes for soft targets.
    const bool has_passes = r.labels ? !(r.label_smoothing != 0.0 && r.class_weight)
                                     : sizeof(E) < 8 && !r.class_weight && r.classes > few;
    if (!r.activation.is_identity() || !has_passes) return Blocks<E, Rows>::loss(r, begin, end, memory);
    if constexpr (is_half<E>) {
      HalfSoftmax<E, Rows>::loss(r, begin, end, memory);
    } else {
      if constexpr (sizeof(E) == 4) {
        if (!r.labels && r.soft_element == Element::float32) return SoftSoftmax<Rows, float>::loss(r, begin, end, memory);
        if (!r.labels) return SoftSoftmax<Rows, double>::loss(r, begin, end, memory);
      }
      if (r.classes <= few_of_softmax) return TileSoftmax<E, Rows, FewRows<E>>::loss(r, begin, end, memory);
      if (r.classes <= middle_of_softmax) return TileSoftmax<E, Rows, MiddleRows<E>>::loss(r, begin, end, memory);
      LongSoftmax<E, Rows>::loss(r, begin, end, memory);
    }
  }
};

#include "half_softmax.hpp"

// Calls `then` with the rows of the request's mapping, in the arithmetic that its elements ask for.
template <class W, class Then>
void with_mapping(const MappingAt& at, Then then) {
  switch (at.mapping) {
    case Mapping::softmax: return then.template operator()<Normalized<W, Softmax>>();
    case Mapping::ratio: return then.template operator()<Normalized<W, Ratio>>();
    case Mapping::spherical: return then.template operator()<Normalized<W, Spherical>>();
    case Mapping::taylor: return then.template operator()<Normalized<W, Taylor>>();
    case Mapping::softplus_ratio: return then.template operator()<Normalized<W, SoftplusRatio>>();
    case Mapping::sigmoid_ratio: return then.template operator()<Normalized<W, SigmoidRatio>>();
    case Mapping::stablemax: return then.template operator()<Normalized<W, Stablemax>>();
    case Mapping::softmax_plus_one: return then.template operator()<Normalized<W, SoftmaxPlusOne>>();
    case Mapping::hardmax: return then.template operator()<Hardmax<W>>();
    case Mapping::sparsemax: return then.template operator()<Tsallis<W, Linear>>();
    case Mapping::entmax: break;
  }
  if (!at.row_parameters && at.parameter == 1.0) return then.template operator()<Normalized<W, Shannon>>();
  if (!at.row_parameters && at.parameter == 1.5) return then.template operator()<Tsallis<W, Square>>();
  if (!at.row_parameters && at.parameter == 2.0) return then.template operator()<Tsallis<W, Linear>>();
  then.template operator()<Tsallis<W, AnyPower>>();
}

struct Evaluate {
  const Evaluation& request;
  int64_t begin, end;
  double* memory;
  template <class E>
  struct Of {
    const Evaluate& call;
    template <class Rows>
    void operator()() const {
      const Evaluation& r = call.request;
      if constexpr (__is_same(Rows, Normalized<Real, Softmax>) || __is_same(Rows, Normalized<Twofold, Softmax>)) {
        return SoftmaxRows<E, Rows>::evaluate(r, call.begin, call.end, call.memory);
      }
      Blocks<E, Rows>::evaluate(r, call.begin, call.end, call.memory);
    }
  };
};

struct ComputeLoss {
  const Loss& request;
  int64_t begin, end;
  double* memory;
  template <class E>
  struct Of {
    const ComputeLoss& call;
    template <class Rows>
    void operator()() const {
      const Loss& r = call.request;
      if constexpr (__is_same(Rows, Normalized<Real, Softmax>) || __is_same(Rows, Normalized<Twofold, Softmax>)) {
        return SoftmaxRows<E, Rows>::loss(r, call.begin, call.end, call.memory);
      }
      Blocks<E, Rows>::loss(r, call.begin, call.end, call.memory);
    }
  };
};

template <class Call>
void with_element(Element element, const MappingAt& at, const Call& call) {
  switch (element) {
    case Element::float32: return with_mapping<Real>(at, typename Call::template Of<float>{call});
    case Element::float64: return with_mapping<Twofold>(at, typename Call::template Of<double>{call});
    case Element::float16: return with_mapping<Real>(at, typename Call::template Of<Half>{call});
    case Element::bfloat16: return with_mapping<Real>(at, typename Call::template Of<Brain>{call});
  }
}

void evaluate(const Evaluation& request, int64_t begin, int64_t end, double* workspace) {
  with_element(request.element, request.at, Evaluate{request, begin, end, workspace});
}

void loss(const Loss& request, int64_t begin, int64_t end, double* workspace) {
  with_element(request.element, request.at, ComputeLoss{request, begin, end, workspace});
}

double sum(const double* values, int64_t count) {
  Sum<double> sums;
  D plain{};
  over_vectors(values, count, 0.0, [&](D v, int64_t, int) {
    sums.add(v, D{});
    plain += v;
  });
  // Infinite and NaN sums have no rounding to put back.
  const double total = fold(plain, [](D a, D b) { return a + b; })[0];
  return total - total == 0.0 ? sums.total().value() : total;
}

int64_t count_labels(const int64_t* labels, int64_t rows, int64_t classes, int64_t ignore_index) {
  int64_t counted = 0, bad = 0;
  for (int64_t i = 0; i < rows; ++i) {
    counted += labels[i] != ignore_index;
    bad += (labels[i] != ignore_index) & ((labels[i] < 0) | (labels[i] >= classes));
  }
  return bad ? -1 : counted;
}

}  // namespace

const InstructionSet kernels = {LASTLAYER_ISA_NAME, evaluate, loss, sum, count_labels, transpose_rows, pull_back};

}  // namespace LASTLAYER_ISA
}  // namespace lastlayer
