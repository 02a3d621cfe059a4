// What is summed over the rows of a loss: the losses themselves, and what a mean divides by.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "kernels.hpp"
#include "threads.hpp"

namespace lastlayer {

// Rows that one thread sums at a time: as many whoever does it, so that the number of threads shows in no sum.
constexpr int64_t summed_rows = 4096;

inline int64_t blocks_of(int64_t rows) { return (rows + summed_rows - 1) / summed_rows; }

// Calls work(block, begin, end) for the blocks of so many rows, on several threads where that is worth it.
template <class Work>
void over_blocks(int64_t rows, const Work& work) {
  parallel_rows(blocks_of(rows), summed_rows, num_threads(), [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block)
      work(block, block * summed_rows, std::min(rows, (block + 1) * summed_rows));
  });
}
// With the rounding of every addition kept within each block, and between the blocks.
inline double sum_of_rows(const double* values, int64_t rows) {
  const InstructionSet& kernels = instruction_set();
  if (rows <= summed_rows) return kernels.sum(values, rows);
  std::vector<double> sums(size_t(blocks_of(rows)));
  over_blocks(rows, [&](int64_t block, int64_t begin, int64_t end) {
    sums[size_t(block)] = kernels.sum(values + begin, end - begin);
  });
  return kernels.sum(sums.data(), int64_t(sums.size()));
}

// Labels that are not the ignored one, -1 where one of them is no class.
inline int64_t counted_labels(const Loss& r, int64_t rows) {
  const InstructionSet& kernels = instruction_set();
  std::atomic<int64_t> counted{0}, bad_blocks{0};
  over_blocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    const int64_t count = kernels.count_labels(r.labels + begin, end - begin, r.classes, r.ignore_index);
    count < 0 ? ++bad_blocks : counted += count;
  });
  return bad_blocks ? -1 : counted.load();
}

// The weights of the rows that count, times their labels' own. NaN where a label is out of range.
inline double denominator(const Loss& r, int64_t rows) {
  const int64_t* labels = r.labels;
  if (labels) {
    const int64_t counted = counted_labels(r, rows);
    if (counted < 0) return std::nan("");
    if (!r.class_weight && !r.row_weight) return double(counted);
  } else if (!r.row_weight) {
    return double(rows);
  }
  const std::unique_ptr<double[]> weights(new double[size_t(rows)]);
  for (int64_t i = 0; i < rows; ++i) {
    const double own = r.is_counted(i) && labels && r.class_weight ? r.class_weight[labels[i]] : 1.0;
    weights[size_t(i)] = !r.is_counted(i) ? 0.0 : r.row_weight ? r.row_weight[i] * own : own;
  }
  return sum_of_rows(weights.get(), rows);
}

}  // namespace lastlayer
