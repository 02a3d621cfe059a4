// Sums over the rows of a loss: the losses, and the denominator of a mean.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "../api/kernels.hpp"
#include "../thresholds.hpp"
#include "threads.hpp"

namespace lastlayer {

inline int64_t blocks_of(int64_t rows) { return (rows + thresholds::rows_per_sum - 1) / thresholds::rows_per_sum; }

// Calls work(block, begin, end) for blocks of rows, on several threads if that is worth it.
template <class Work>
void over_blocks(int64_t rows, const Work& work) {
  parallel_rows(blocks_of(rows), thresholds::rows_per_sum, num_threads(), [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block)
      work(block, block * thresholds::rows_per_sum, std::min(rows, (block + 1) * thresholds::rows_per_sum));
  });
}
// The compensated sum of sum_of(begin, end) over all blocks.
template <class SumOf>
double sum_of_blocks(int64_t rows, const SumOf& sum_of) {
  if (rows <= thresholds::rows_per_sum) return sum_of(0, rows);
  std::vector<double> sums(size_t(blocks_of(rows)));
  over_blocks(rows, [&](int64_t block, int64_t begin, int64_t end) { sums[size_t(block)] = sum_of(begin, end); });
  return instruction_set().sum(sums.data(), int64_t(sums.size()));
}
inline double sum_of_rows(const double* values, int64_t rows) {
  return sum_of_blocks(rows,
                       [&](int64_t begin, int64_t end) { return instruction_set().sum(values + begin, end - begin); });
}

// The number of labels that are not ignored; -1 if one of them is out of range.
inline int64_t counted_labels(const Loss& r, int64_t rows) {
  const InstructionSet& kernels = instruction_set();
  std::atomic<int64_t> counted{0}, bad_blocks{0};
  over_blocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    const int64_t count = kernels.count_labels(r.labels + begin, end - begin, r.classes, r.ignore_index);
    count < 0 ? ++bad_blocks : counted += count;
  });
  return bad_blocks ? -1 : counted.load();
}

// The sum of the weights of the rows that count, times their labels' class weights. NaN if a label is out of range.
inline double denominator(const Loss& r, int64_t rows) {
  const int64_t* labels = r.labels;
  if (labels) {
    const int64_t counted = counted_labels(r, rows);
    if (counted < 0) return std::nan("");
    if (!r.class_weight && !r.row_weight) return double(counted);
  } else if (!r.row_weight) {
    return double(rows);
  }
  const auto weight = [&](int64_t i) {
    if (!r.is_counted(i)) return 0.0;
    return (r.row_weight ? r.row_weight[i] : 1.0) * (labels && r.class_weight ? r.class_weight[labels[i]] : 1.0);
  };
  return sum_of_blocks(rows, [&](int64_t begin, int64_t end) {
    double weights[thresholds::rows_per_sum];
    for (int64_t i = begin; i < end; ++i) weights[i - begin] = weight(i);
    return instruction_set().sum(weights, end - begin);
  });
}

}  // namespace lastlayer
