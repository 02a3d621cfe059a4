// The function table of one instruction set: the same kernels, compiled once for each.
#pragma once
#include <cstdint>

#include "requests.hpp"

namespace lastlayer {

// Each function works on the rows [begin, end) of a request, with a workspace of the size that runtime/workspace.hpp
// says.
struct InstructionSet {
  const char* name;
  void (*evaluate)(const Evaluation& request, int64_t begin, int64_t end, double* workspace);
  void (*loss)(const Loss& request, int64_t begin, int64_t end, double* workspace);
  // Compensated: keeps the rounding error of every addition. The order depends on the count alone.
  double (*sum)(const double* values, int64_t count);
  // The number of labels that are not ignored; -1 if one of them is out of range.
  int64_t (*count_labels)(const int64_t* labels, int64_t rows, int64_t classes, int64_t ignore_index);
  void (*transpose)(const Transposition& request);
  void (*vjp)(const VjpRequest& request, int64_t begin, int64_t end);
  void (*row_sums)(const RowSums& request, int64_t begin, int64_t end);
  void (*row_slopes)(const RowSlopes& request, int64_t begin, int64_t end);
};

namespace baseline { extern const InstructionSet kernels; }
namespace avx2 { extern const InstructionSet kernels; }
namespace avx512 { extern const InstructionSet kernels; }

// The table in use: the best that this processor supports, or the one that LASTLAYER_ISA names.
const InstructionSet& instruction_set();

}  // namespace lastlayer
