// What a caller asks of the rows: plain buffers and numbers.
#pragma once
#include <cstdint>

namespace lastlayer {

enum class Quantity : int { probabilities = 0, log_probabilities = 1, log_partition = 2 };

// The element types of scores, gradients and soft targets. Half types are computed in float32 or wider and rounded
// once.
enum class Element : int { float32 = 0, float64 = 1, float16 = 2, bfloat16 = 3 };

// The mappings with kernels, by the names of their records: the normalized family, then the regularized one.
#define LASTLAYER_MAPPINGS(MAPPING) \
  MAPPING(softmax)                  \
  MAPPING(ratio)                    \
  MAPPING(spherical)                \
  MAPPING(taylor)                   \
  MAPPING(softplus_ratio)           \
  MAPPING(sigmoid_ratio)            \
  MAPPING(stablemax)                \
  MAPPING(softmax_plus_one)         \
  MAPPING(hardmax)                  \
  MAPPING(sparsemax)                \
  MAPPING(entmax)
#define LASTLAYER_NAME(name) name,
#define LASTLAYER_STRING(name) #name,
enum class Mapping : int { LASTLAYER_MAPPINGS(LASTLAYER_NAME) };
constexpr const char* mapping_names[] = {LASTLAYER_MAPPINGS(LASTLAYER_STRING)};
constexpr int mapping_count = sizeof mapping_names / sizeof *mapping_names;
#undef LASTLAYER_NAME
#undef LASTLAYER_STRING

// A mapping and its parameter (taylor's order, entmax's alpha): one for all rows, or one per row.
struct MappingAt {
  Mapping mapping;
  double parameter;
  const double* row_parameters;
};

// Scores of shape (N, K), classes contiguous, and the quantity wanted of each row. out may be the scores themselves.
struct Evaluation {
  MappingAt at;
  Element element;
  Quantity quantity;
  const void* scores;
  void* out;
  int64_t classes;
  bool is_nontemporal;  // write out with non-temporal stores, where a kernel can; out is not the scores then

  // The request for the rows from `first` on, copied to `strip`. Results go there too, except a log-partition, which
  // is one number per row.
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

// The numeric options of a loss, in the order of the Python binding's arguments, which module.cpp makes from this list.
#define LASTLAYER_LOSS_OPTIONS(OPTION) \
  OPTION(int64_t, ignore_index)        \
  OPTION(double, label_smoothing)      \
  OPTION(double, z_loss)               \
  OPTION(double, temperature)          \
  OPTION(double, softcap)
#define LASTLAYER_FIELD(type, name) type name;
struct LossOptions {
  LASTLAYER_LOSS_OPTIONS(LASTLAYER_FIELD)

  // Whether scores are changed before the mapping sees them; softcap 0 means no cap.
  bool has_activation() const { return temperature != 1.0 || softcap != 0.0; }
  // Options that only the general blocks compute.
  bool needs_general_blocks() const { return has_activation(); }
};
#undef LASTLAYER_FIELD

// The loss of every row, and its gradient unless `gradient` is null; it may be the scores themselves.
// Targets are either labels or soft targets (N, K); the other pointer is null. A null weight means 1 everywhere.
struct Loss : LossOptions {
  MappingAt at;
  Element element;
  const void* scores;
  void* gradient;
  double* losses;
  int64_t classes;
  const int64_t* labels;
  const void* soft_targets;
  Element soft_element;
  const double* class_weight;  // (K,)
  const double* row_weight;    // (N,)
  double gradient_scale;       // multiplies the gradient only: one over the denominator of a mean
  bool is_nontemporal;         // write the gradient with non-temporal stores, as `out` above

  // The request for the rows from `first` on, copied to `strip`, where their gradient goes too.
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

  // In the normalized family class weights multiply the targets inside the sum; elsewhere they multiply the row's loss.
  bool has_class_weights_in_sum() const { return at.mapping < Mapping::hardmax; }

  // A row counts unless its label is the ignored one, its weight is zero, or the weight of all its targets is zero.
  bool is_counted(int64_t row) const {
    return !(labels && labels[row] == ignore_index) && !(row_weight && row_weight[row] == 0.0) && !is_weightless(row);
  }

 private:
  // With smoothing inside a sum the other classes have targets too.
  bool is_weightless(int64_t row) const {
    if (!labels || !class_weight || (label_smoothing != 0.0 && has_class_weights_in_sum())) return false;
    return labels[row] >= 0 && labels[row] < classes && class_weight[labels[row]] == 0.0;
  }
};

// The transpose of a matrix (rows, columns) of float32 or float64 into `to`; the strides are between rows.
struct Transposition {
  Element element;
  const void* from;
  int64_t rows, columns, from_stride;
  void* to;
  int64_t to_stride;
  bool is_nontemporal;  // nobody reads the result soon
};

// A vector-Jacobian product from slopes s and cotangents of probabilities, or from softmax's log-probabilities (in
// place of the slopes) and their cotangents. All are (N, K) of float32 or float64; out may be either input.
struct VjpRequest {
  Element element;
  bool is_of_logarithms;
  const void *slopes, *cotangents;
  void* out;
  int64_t classes;
};

// Rows of scores of one softmax, or of the classes of one slice of it: (N, K) with `stride` numbers from row to row.
struct ScoreRows {
  Element element;
  void* scores;
  int64_t rows, classes, stride;
  const int64_t* places;       // (N,): the label's place among these classes; another number if it is not here
  const double* class_weight;  // (K,), or null for 1 everywhere
  double temperature, softcap;
  bool has_activation() const { return temperature != 1.0 || softcap != 0.0; }
};

// One reading of the rows. The sums are relative to m, the largest score after softcap and temperature.
struct RowSums : ScoreRows {
  enum { largest, others, spread, at_label, raw_largest, distances, count };
  double* numbers;       // (count, N): m, the sum of e^(x - m) without the largest term, the sum of e^(x - m) (m - x),
                         // the label's score, the largest score before softcap, and the weighted sum of m - x
  int64_t* argmax;       // (N,): the first class with the largest score
  bool wants_distances;  // else that number is 0
  double* row(int number) const { return numbers + number * rows; }
};

// The slopes p (factor - slope log p) - share w in the place of the scores, with p = e^(x - largest) / (1 + others),
// and a given number at the label; then the derivative of softcap and temperature.
struct RowSlopes : ScoreRows {
  enum { largest, others, factor, slope, at_label, share, count };
  const double* numbers;  // (count, N)
  const bool* is_live;    // (N,): the slopes of other rows are 0
  const double* row(int number) const { return numbers + number * rows; }
};

}  // namespace lastlayer
