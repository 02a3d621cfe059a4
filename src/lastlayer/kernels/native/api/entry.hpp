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
#include "../simd/vectors.hpp"
#include "../simd/permutations.hpp"
#include "../arithmetic/double_double.hpp"
#include "../arithmetic/elementary.hpp"
#include "../simd/half_types.hpp"
#include "../simd/elements.hpp"
#include "../general/layout.hpp"
#include "../simd/nontemporal.hpp"
#include "../simd/transpose.hpp"
#include "../general/activation.hpp"
#include "../general/targets.hpp"
#include "../general/normalized_terms.hpp"
#include "../general/normalized.hpp"
#include "../general/regularized.hpp"
#include "../general/mappings/softmax.hpp"
#include "../general/mappings/ratio.hpp"
#include "../general/mappings/spherical.hpp"
#include "../general/mappings/taylor.hpp"
#include "../general/mappings/softplus_ratio.hpp"
#include "../general/mappings/sigmoid_ratio.hpp"
#include "../general/mappings/stablemax.hpp"
#include "../general/mappings/hardmax.hpp"
#include "../general/mappings/tsallis_powers.hpp"
#include "../general/mappings/tsallis.hpp"
#include "../general/block_results.hpp"
#include "../general/blocks.hpp"
#include "../softmax/terms.hpp"
#include "../softmax/passes.hpp"
#include "../softmax/overlapped_pass.hpp"
#include "../softmax/long_row.hpp"
#include "../softmax/delayed_results.hpp"
#include "../softmax/long_softmax.hpp"
#include "../softmax/soft_targets.hpp"
#include "../simd/short_row_transpose.hpp"
#include "../softmax/tile.hpp"
#include "../softmax/few_rows.hpp"
#include "../softmax/middle_rows.hpp"
#include "../softmax/tile_softmax.hpp"
#include "../general/vjp.hpp"

// Up to so many classes a row in each lane is faster than a row along them, and beyond so many one row at a time.
constexpr int64_t few_of_softmax = 56, middle_of_softmax = 512;

template <class E, class Rows>
struct HalfSoftmax;

// Softmax in its own precision; that of half types is float.
template <class E, class Rows>
struct SoftmaxRows {
  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    if constexpr (is_half<E>) {
      HalfSoftmax<E, Rows>::evaluate(r, begin, end, memory);
    } else {
      // In wide arithmetic one class has all, whatever rounding its weight took.
      if (r.classes == 1) return Blocks<E, Rows>::evaluate(r, begin, end, memory);
      if (r.classes <= few_of_softmax) return TileSoftmax<E, Rows, FewRows<E>>::evaluate(r, begin, end, memory);
      if (r.classes <= middle_of_softmax) return TileSoftmax<E, Rows, MiddleRows<E>>::evaluate(r, begin, end, memory);
      LongSoftmax<E, Rows>::evaluate(r, begin, end, memory);
    }
  }
  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    // Of scores that reach the mapping as they are; float64 has no passes for soft targets.
    const bool has_passes = r.labels ? !(r.label_smoothing != 0.0 && r.class_weight)
                                     : sizeof(E) < 8 && !r.class_weight && r.classes > few;
    if (!r.activation.is_identity() || !has_passes || r.classes == 1) return Blocks<E, Rows>::loss(r, begin, end, memory);
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

#include "../softmax/half_strips.hpp"

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
    sums.add(v);
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
