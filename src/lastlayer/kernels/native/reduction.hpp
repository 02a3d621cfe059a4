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

// What a mean divides by: the weights of the rows that count, times their labels' own. NaN where a label is out of range.
inline double denominator(const Loss& r, int64_t rows) {
  RunningSum sum;
  for (int64_t i = 0; i < rows; ++i) {
    if (!r.is_counted(i)) continue;
    double own = 1.0;
    if (r.labels) {
      const bool is_label = r.labels[i] >= 0 && r.labels[i] < r.classes;
      own = !is_label ? std::nan("") : r.class_weight ? r.class_weight[r.labels[i]] : 1.0;
    }
    sum.add(r.row_weight ? r.row_weight[i] * own : own);
  }
  return sum.value();
}

}  // namespace lastlayer
