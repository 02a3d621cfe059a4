// What a mean divides by.
#pragma once
#include <cmath>
#include <memory>

#include "kernels.hpp"

namespace lastlayer {

// The weights of the rows that count, times their labels' own. NaN where a label is out of range.
inline double denominator(const Loss& r, int64_t rows) {
  const InstructionSet& kernels = instruction_set();
  const int64_t* labels = r.labels;
  if (labels) {
    const LabelCount found = kernels.count_labels(labels, rows, r.classes, r.ignore_index);
    if (found.first_bad >= 0) return std::nan("");
    if (!r.class_weight && !r.row_weight) return double(found.counted);
  } else if (!r.row_weight) {
    return double(rows);
  }
  const std::unique_ptr<double[]> weights(new double[size_t(rows)]);
  for (int64_t i = 0; i < rows; ++i) {
    const double own = r.is_counted(i) && labels && r.class_weight ? r.class_weight[labels[i]] : 1.0;
    weights[size_t(i)] = !r.is_counted(i) ? 0.0 : r.row_weight ? r.row_weight[i] * own : own;
  }
  return kernels.sum(weights.get(), rows);
}

}  // namespace lastlayer
