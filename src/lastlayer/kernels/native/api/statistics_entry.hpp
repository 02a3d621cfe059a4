// The entry points of the kernels for statistics, in a unit of their own per instruction set, and the choice of the
// element type.
#pragma once

#include "../softmax/row_slopes.hpp"
#include "../softmax/row_sums.hpp"
#include "kernels.hpp"

namespace lastlayer::LASTLAYER_ISA {

void row_sums(const RowSums& request, int64_t begin, int64_t end) {
  switch (request.element) {
    case Element::float32: return SumsOfRows<float>::compute(request, begin, end);
    case Element::float64: return SumsOfRows<double>::compute(request, begin, end);
    case Element::float16: return SumsOfRows<Float16>::compute(request, begin, end);
    case Element::bfloat16: return SumsOfRows<BFloat16>::compute(request, begin, end);
  }
}

void row_slopes(const RowSlopes& request, int64_t begin, int64_t end) {
  switch (request.element) {
    case Element::float32: return SlopesOfRows<float>::compute(request, begin, end);
    case Element::float64: return SlopesOfRows<double>::compute(request, begin, end);
    case Element::float16: return SlopesOfRows<Float16>::compute(request, begin, end);
    case Element::bfloat16: return SlopesOfRows<BFloat16>::compute(request, begin, end);
  }
}

}  // namespace lastlayer::LASTLAYER_ISA
