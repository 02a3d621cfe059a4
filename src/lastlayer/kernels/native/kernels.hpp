// What one instruction set offers: the same row kernels, compiled once for each.
#pragma once
#include <cstdint>

namespace lastlayer {

enum class Quantity : int { probabilities = 0, log_probabilities = 1, log_partition = 2 };

// The options of a label loss, as plain buffers. Null pointers stand for "one each".
struct LabelLoss {
  const int64_t* labels;
  const double* class_weight;  // (K,)
  const double* row_weight;    // (N,)
  int64_t ignore_index;
  double label_smoothing;
  double z_loss;
  double temperature;
  double total_class_weight;  // the sum of class_weight, K without one
  double gradient_scale;      // 1, or one over the denominator of a mean
};

// Rows [begin, end) of scores of shape (N, K), classes contiguous. `out` may be `scores`; `gradient` too, or null.
template <class T>
struct RowKernels {
  void (*evaluate)(const T* scores, T* out, int64_t begin, int64_t end, int64_t classes, Quantity quantity);
  void (*label_loss)(const T* scores, T* gradient, double* losses, int64_t begin, int64_t end, int64_t classes,
                     const LabelLoss& options);
};

// The mappings with kernels; of the first ones there are more in float32 than in float64. By the names of their records.
constexpr const char* float32_mappings[] = {"softmax", "ratio", "spherical", "stablemax", "taylor"};
constexpr const char* float64_mappings[] = {"softmax"};
constexpr int float32_count = sizeof float32_mappings / sizeof *float32_mappings;
constexpr int float64_count = sizeof float64_mappings / sizeof *float64_mappings;

struct InstructionSet {
  const char* name;
  RowKernels<float> float32[float32_count];
  RowKernels<double> float64[float64_count];
};

namespace baseline { extern const InstructionSet kernels; }
namespace avx2 { extern const InstructionSet kernels; }
namespace avx512 { extern const InstructionSet kernels; }

// The one to use: the best this processor has, or the one that LASTLAYER_ISA names.
const InstructionSet& instruction_set();

// static: each instruction set compiles its own. A counted row: labels[row] counts unless it is ignored or its row weight is zero.
static inline bool is_counted(const LabelLoss& o, int64_t row) {
  return o.labels[row] != o.ignore_index && !(o.row_weight && o.row_weight[row] == 0.0);
}

}  // namespace lastlayer
