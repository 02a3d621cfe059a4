// The entry points of one instruction set, and the choice of mapping and arithmetic for a request. Compiled in two
// units per instruction set: see simd/isa.hpp.
#pragma once

#include "../arithmetic/double_double.hpp"
#include "../general/blocks.hpp"
#include "../general/mappings/hardmax.hpp"
#include "../general/mappings/ratio.hpp"
#include "../general/mappings/sigmoid_ratio.hpp"
#include "../general/mappings/softmax.hpp"
#include "../general/mappings/softplus_ratio.hpp"
#include "../general/mappings/spherical.hpp"
#include "../general/mappings/stablemax.hpp"
#include "../general/mappings/taylor.hpp"
#include "../general/mappings/tsallis.hpp"
#include "../general/mappings/tsallis_powers.hpp"
#include "../general/normalized.hpp"
#include "../general/vjp.hpp"
#include "../simd/half_types.hpp"
#include "../simd/permutations.hpp"
#include "../simd/transpose.hpp"
#include "../simd/vectors.hpp"
#include "../softmax/choose_loop.hpp"
#include "../softmax/passes.hpp"
#include "../softmax/term_sums.hpp"
#include "../softmax/terms.hpp"
#include "kernels.hpp"

namespace lastlayer::LASTLAYER_ISA {

// Float64 has a unit of its own, which is this file with LASTLAYER_FLOAT64: units of half the size compile in parallel.
void evaluate_float64(const Evaluation& request, int64_t begin, int64_t end, double* workspace);
void loss_float64(const Loss& request, int64_t begin, int64_t end, double* workspace);
// In the unit of statistics_entry.hpp.
void row_sums(const RowSums& request, int64_t begin, int64_t end);
void row_slopes(const RowSlopes& request, int64_t begin, int64_t end);

namespace {

// Calls `then` with the request's mapping as a type (a Point), in the arithmetic W.
template <class W, class Then>
void with_mapping(const MappingAt& at, Then then) {
  switch (at.mapping) {
    case Mapping::softmax:
    case Mapping::softmax_plus_one: return then.template operator()<Normalized<W, Softmax>>();
    case Mapping::ratio: return then.template operator()<Normalized<W, Ratio>>();
    case Mapping::spherical: return then.template operator()<Normalized<W, Spherical>>();
    case Mapping::taylor: return then.template operator()<Normalized<W, Taylor>>();
    case Mapping::softplus_ratio: return then.template operator()<Normalized<W, SoftplusRatio>>();
    case Mapping::sigmoid_ratio: return then.template operator()<Normalized<W, SigmoidRatio>>();
    case Mapping::stablemax: return then.template operator()<Normalized<W, Stablemax>>();
    case Mapping::hardmax: return then.template operator()<Hardmax<W>>();
    case Mapping::sparsemax: return then.template operator()<Tsallis<W, Linear>>();
    case Mapping::entmax: break;
  }
  if (!at.row_parameters && at.parameter == 1.0) return then.template operator()<Normalized<W, Softmax>>();
  if (!at.row_parameters && at.parameter == 1.5) return then.template operator()<Tsallis<W, Square>>();
  if (!at.row_parameters && at.parameter == 2.0) return then.template operator()<Tsallis<W, Linear>>();
  then.template operator()<Tsallis<W, AnyPower>>();
}

// Whether the mapping is softmax, softmax-plus-one or entmax at 1. Only softmax itself has the softmax loops.
template <class Point>
constexpr bool is_softmax =
    __is_same(Point, Normalized<Double, Softmax>) || __is_same(Point, Normalized<DoubleDouble, Softmax>);

struct Evaluate {
  const Evaluation& request;
  int64_t begin, end;
  double* memory;
  template <class E>
  struct Of {
    const Evaluate& call;
    template <class Point>
    void operator()() const {
      const Evaluation& r = call.request;
      if constexpr (is_softmax<Point>)
        if (r.at.mapping == Mapping::softmax)
          return SoftmaxLoops<E, Point>::evaluate(r, call.begin, call.end, call.memory);
      Blocks<E, Point>::evaluate(r, call.begin, call.end, call.memory);
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
    template <class Point>
    void operator()() const {
      const Loss& r = call.request;
      if constexpr (is_softmax<Point>)
        if (r.at.mapping == Mapping::softmax) return SoftmaxLoops<E, Point>::loss(r, call.begin, call.end, call.memory);
      Blocks<E, Point>::loss(r, call.begin, call.end, call.memory);
    }
  };
};

#if defined(LASTLAYER_FLOAT64)

}  // namespace

void evaluate_float64(const Evaluation& request, int64_t begin, int64_t end, double* workspace) {
  with_mapping<DoubleDouble>(request.at, Evaluate::Of<double>{{request, begin, end, workspace}});
}
void loss_float64(const Loss& request, int64_t begin, int64_t end, double* workspace) {
  with_mapping<DoubleDouble>(request.at, ComputeLoss::Of<double>{{request, begin, end, workspace}});
}

#else

// Float32 and the half types, which share the arithmetic Double.
template <class Call>
void with_narrow_element(Element element, const MappingAt& at, const Call& call) {
  if (element == Element::float32) return with_mapping<Double>(at, typename Call::template Of<float>{call});
  if (element == Element::float16) return with_mapping<Double>(at, typename Call::template Of<Float16>{call});
  with_mapping<Double>(at, typename Call::template Of<BFloat16>{call});
}

void evaluate(const Evaluation& request, int64_t begin, int64_t end, double* workspace) {
  if (request.element == Element::float64) return evaluate_float64(request, begin, end, workspace);
  with_narrow_element(request.element, request.at, Evaluate{request, begin, end, workspace});
}

void loss(const Loss& request, int64_t begin, int64_t end, double* workspace) {
  if (request.element == Element::float64) return loss_float64(request, begin, end, workspace);
  with_narrow_element(request.element, request.at, ComputeLoss{request, begin, end, workspace});
}

double sum(const double* values, int64_t count) {
  Sum<double> sums;
  D plain{};
  over_vectors(values, count, 0.0, [&](D v, int64_t, int) {
    sums.add(v);
    plain += v;
  });
  // Infinite and NaN sums have no rounding error to add back.
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

const InstructionSet kernels = {LASTLAYER_ISA_NAME, evaluate, loss,     sum,       count_labels,
                                transpose_rows,     vjp,      row_sums, row_slopes};

#endif

}  // namespace lastlayer::LASTLAYER_ISA
