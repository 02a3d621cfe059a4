// Shares the rows of a request among threads, each with its own workspace.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "../api/kernels.hpp"
#include "../thresholds.hpp"
#include "memory.hpp"
#include "threads.hpp"

namespace lastlayer {

// Half types are passed as their bits.
template <class T>
constexpr Element element_of(bool is_bfloat16) {
  if (sizeof(T) == 2) return is_bfloat16 ? Element::bfloat16 : Element::float16;
  return sizeof(T) == 4 ? Element::float32 : Element::float64;
}

// Memory aligned to whole vectors. Allocating needs the GIL.
inline void* aligned_memory(size_t bytes) {
  return allocated([bytes] { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); });
}
struct AlignedDoubles {
  double* data;
  explicit AlignedDoubles(int64_t doubles)
      : data(static_cast<double*>(aligned_memory(size_t(doubles) * sizeof(double)))) {}
  AlignedDoubles(const AlignedDoubles&) = delete;
  ~AlignedDoubles() { std::free(data); }
};

// The memory of strips. Needs the GIL.
class StripMemory {
 public:
  void* data;
  explicit StripMemory(size_t size) : data(nullptr), region_{nullptr, 0} {
    if (size >= size_t(thresholds::large_strip_bytes)) region_ = take_region(size);
    data = region_.data ? region_.data : aligned_memory(size);
  }
  StripMemory(const StripMemory&) = delete;
  ~StripMemory() {
    if (region_.data)
      return_region(region_);
    else
      std::free(data);
  }

 private:
  Region region_;
};

// Shares of `count` items of `cost` scores each, with a workspace of `doubles` for each thread. Constructed with the
// GIL, run without it.
class RowShares {
 public:
  RowShares(int64_t count, int64_t cost, int64_t doubles)
      : count_(count),
        cost_(cost),
        threads_(useful_threads(count, cost, num_threads())),
        slot_((doubles + 7) / 8 * 8),
        workspace_(slot_ * threads_) {}
  int threads() const { return threads_; }

  // Calls kernel(begin, end, workspace) for each share.
  template <class Kernel>
  void run(const Kernel& kernel) const {
    parallel_rows(count_, cost_, threads_,
                  [&](int64_t begin, int64_t end) { kernel(begin, end, workspace_.data + slot_ * current_worker()); });
  }

 private:
  int64_t count_, cost_;
  int threads_;
  int64_t slot_;
  AlignedDoubles workspace_;
};

// A matrix with contiguous columns, in strips: some rows at a time are transposed to where their classes are
// contiguous.
template <class T>
class ColumnStrips {
 public:
  ColumnStrips(int64_t rows, int64_t classes, int64_t doubles)
      : rows_(rows),
        classes_(classes),
        strip_rows_(line * std::max<int64_t>(1, thresholds::column_strip_scores / (line * classes))),
        shares_((rows + strip_rows_ - 1) / strip_rows_, strip_rows_ * classes, doubles),
        memory_(size_t(shares_.threads()) * size_t(strip_rows_ * classes) * sizeof(T)) {}

  // Calls kernel(first, count, strip, workspace) for each strip. If `results` is not null, what the kernel leaves in
  // the strip is transposed into it.
  template <class Kernel>
  void run(const T* columns, T* results, const Kernel& kernel) const {
    const InstructionSet& kernels = instruction_set();
    shares_.run([&](int64_t begin, int64_t end, double* workspace) {
      T* strip = static_cast<T*>(memory_.data) + current_worker() * strip_rows_ * classes_;
      for (int64_t first = begin * strip_rows_; first < std::min(end * strip_rows_, rows_); first += strip_rows_) {
        const int64_t count = std::min(strip_rows_, rows_ - first);
        kernels.transpose({element_of<T>(false), columns + first, classes_, count, rows_, strip, classes_, false});
        kernel(first, count, strip, workspace);
        if (results)
          kernels.transpose({element_of<T>(false), strip, count, classes_, classes_, results + first, rows_, true});
      }
    });
  }

 private:
  // Rows that fill whole cache lines; a strip of short rows fits into the level-1 cache.
  static constexpr int64_t line = 64 / sizeof(T);
  int64_t rows_, classes_, strip_rows_;
  RowShares shares_;
  StripMemory memory_;
};

}  // namespace lastlayer
