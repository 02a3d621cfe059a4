// What one instruction set offers: the same kernels, compiled once for each. Requests are plain buffers and numbers.
#pragma once
#include <cstdint>

namespace lastlayer {

enum class Quantity : int { probabilities = 0, log_probabilities = 1, log_partition = 2 };

// What scores, gradients and soft targets are made of. Half types are computed wider and rounded once.
enum class Element : int { float32 = 0, float64 = 1, float16 = 2, bfloat16 = 3 };

// The mappings with kernels, by the names of their records and in this order.
enum class Mapping : int {
  softmax,
  ratio,
  spherical,
  taylor,
  softplus_ratio,
  sigmoid_ratio,
  stablemax,
  softmax_plus_one,
  hardmax,
  sparsemax,
  entmax
};
constexpr const char* mapping_names[] = {"softmax",        "ratio",         "spherical", "taylor",
                                         "softplus_ratio", "sigmoid_ratio", "stablemax", "softmax_plus_one",
                                         "hardmax",        "sparsemax",     "entmax"};
constexpr int mapping_count = sizeof mapping_names / sizeof *mapping_names;

// A mapping, its parameter (taylor's order, entmax's alpha) where it has one, or one parameter a row.
struct MappingAt {
  Mapping mapping;
  double parameter;
  const double* row_parameters;
};

// What scores go through before the mapping; softcap 0 stands for none.
struct Activation {
  double temperature, softcap;
  bool is_identity() const { return temperature == 1.0 && softcap == 0.0; }
};

// Scores of shape (N, K), classes contiguous, and what is asked of each row. out may be the scores themselves.
struct Evaluation {
  MappingAt at;
  Element element;
  Quantity quantity;
  const void* scores;
  void* out;
  int64_t classes;
  bool is_nontemporal;  // out goes past the caches, where a kernel can; it is not the scores then

  // The same of the rows from `first` on, whose scores lie elsewhere, and their result with them unless it is one a
  // row.
  Evaluation of_strip(int64_t first, void* strip) const {
    Evaluation part = *this;
    part.scores = strip;
    const int64_t size = element == Element::float64 ? 8 : 4;
    part.is_nontemporal = false;
    part.out = quantity == Quantity::log_partition ? static_cast<char*>(out) + first * size : strip;
    if (at.row_parameters) part.at.row_parameters += first;
    return part;
  }
};

// The loss of every row, and its gradient where `gradient` is not null; it may be the scores themselves.
// Targets are labels, or soft targets (N, K); the pointer to the other ones is null. Null weights stand for "one each".
struct Loss {
  MappingAt at;
  Element element;
  Activation activation;
  const void* scores;
  void* gradient;
  double* losses;
  int64_t classes;
  const int64_t* labels;
  const void* soft_targets;
  Element soft_element;
  const double* class_weight;  // (K,)
  const double* row_weight;    // (N,)
  int64_t ignore_index;
  double label_smoothing;
  double z_loss;
  double gradient_scale;  // of the gradient alone: one over the denominator of a mean
  bool is_nontemporal;       // the gradient goes past the caches, as `out` above

  // The same of the rows from `first` on, whose scores lie elsewhere, and their gradient with them.
  Loss of_strip(int64_t first, void* strip) const {
    Loss part = *this;
    part.scores = strip;
    if (gradient) part.gradient = strip;
    part.is_nontemporal = false;
    part.losses += first;
    if (labels) part.labels += first;
    const int64_t size = soft_element == Element::float64 ? 8 : 4;
    if (soft_targets) part.soft_targets = static_cast<const char*>(soft_targets) + first * classes * size;
    if (row_weight) part.row_weight += first;
    if (at.row_parameters) part.at.row_parameters += first;
    return part;
  }

  // The normalized family sums over the classes, and there class weights multiply the targets; elsewhere they weigh the
  // row.
  bool has_class_weights_in_sum() const { return at.mapping < Mapping::hardmax; }

  // A counted row: its label is not the ignored one, and neither its own weight nor the weight of all its targets is
  // zero.
  bool is_counted(int64_t row) const {
    return !(labels && labels[row] == ignore_index) && !(row_weight && row_weight[row] == 0.0) && !is_weightless(row);
  }

 private:
  // Smoothed targets of a sum lie on the other classes too.
  bool is_weightless(int64_t row) const {
    if (!labels || !class_weight || (label_smoothing != 0.0 && has_class_weights_in_sum())) return false;
    return labels[row] >= 0 && labels[row] < classes && class_weight[labels[row]] == 0.0;
  }
};

// A matrix (rows, columns) of float32 or float64 into its transpose elsewhere; rows of each begin a stride apart.
struct Transposition {
  Element element;
  const void* from;
  int64_t rows, columns, from_stride;
  void* to;
  int64_t to_stride;
  bool is_nontemporal;  // past the caches: nobody reads it soon
};

// Slopes s and cotangents of probabilities, or softmax's log-probabilities in the slopes' place and their cotangents,
// (N, K) of float32 or float64; out may be either of them.
struct VjpRequest {
  Element element;
  bool is_of_logarithms;
  const void *slopes, *cotangents;
  void* out;
  int64_t classes;
};

// Rows of a half type that are worked on as floats at a time, and the doubles that their strip and a result of each
// take.
inline int64_t half_strip_rows(int64_t classes) {
  const int64_t fit = 4096 / classes;
  return fit >= 16 ? fit / 16 * 16 : fit > 1 ? fit : 1;
}
inline int64_t half_strip_size(int64_t classes) { return (half_strip_rows(classes) * (classes + 1) + 15) / 16 * 8; }

// Arrays of a block that an evaluation and a loss need; and the doubles that kernels with so many need, for each
// thread.
constexpr int evaluation_arrays = 3, loss_arrays = 5;
int64_t workspace_size(int64_t classes, int arrays);

// Rows [begin, end) of a request; and what is asked of all rows at once.
struct InstructionSet {
  const char* name;
  void (*evaluate)(const Evaluation& request, int64_t begin, int64_t end, double* workspace);
  void (*loss)(const Loss& request, int64_t begin, int64_t end, double* workspace);
  // With the rounding of every addition kept, in an order that depends on the count alone.
  double (*sum)(const double* values, int64_t count);
  // Labels that are not the ignored one, -1 where one of them is no class.
  int64_t (*count_labels)(const int64_t* labels, int64_t rows, int64_t classes, int64_t ignore_index);
  void (*transpose)(const Transposition& request);
  void (*vjp)(const VjpRequest& request, int64_t begin, int64_t end);
};

namespace baseline { extern const InstructionSet kernels; }
namespace avx2 { extern const InstructionSet kernels; }
namespace avx512 { extern const InstructionSet kernels; }

// The one to use: the best this processor has, or the one that LASTLAYER_ISA names.
const InstructionSet& instruction_set();

}  // namespace lastlayer
