// Sums over rows and over class weights, with the rounding of every addition kept, in the order of the rows.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels.hpp"

namespace lastlayer {

class RunningSum {
 public:
  void add(double value) {
    const double next = sum_ + value, t = next - sum_;
    rest_ += (sum_ - (next - t)) + (value - t);
    sum_ = next;
  }
  // Infinite and NaN sums have no rounding to put back.
  double value() const { return std::isfinite(sum_) ? sum_ + rest_ : sum_; }

 private:
  double sum_ = 0.0, rest_ = 0.0;
};

inline double sum_of(const double* values, int64_t count) {
  RunningSum sum;
  for (int64_t i = 0; i < count; ++i) sum.add(values[i]);
  return sum.value();
}

// What a mean divides by: the weights of the labels of the rows that count. NaN where a label is out of range.
inline double denominator(const LabelLoss& o, int64_t rows, int64_t classes) {
  RunningSum sum;
  for (int64_t i = 0; i < rows; ++i) {
    if (!is_counted(o, i)) continue;
    const int64_t label = o.labels[i];
    const bool is_label = label >= 0 && label < classes;
    const double own = !is_label ? std::nan("") : o.class_weight ? o.class_weight[label] : 1.0;
    sum.add(o.row_weight ? o.row_weight[i] * own : own);
  }
  return sum.value();
}

}  // namespace lastlayer
