// Requests shared out among the threads: parts of their rows, with the memory that each worker needs.
#pragma once
#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "kernels.hpp"
#include "memory.hpp"
#include "threads.hpp"

namespace lastlayer {

// Half types come as their bits.
template <class T>
constexpr Element element_of(bool is_bfloat16) {
  if (sizeof(T) == 2) return is_bfloat16 ? Element::bfloat16 : Element::float16;
  return sizeof(T) == 4 ? Element::float32 : Element::float64;
}

// Memory aligned to whole vectors.
struct Aligned {
  double* data;
  explicit Aligned(int64_t doubles)
      : data(static_cast<double*>(std::aligned_alloc(64, (size_t(doubles) * sizeof(double) + 63) / 64 * 64))) {
    if (!data) throw std::bad_alloc();
  }
  Aligned(const Aligned&) = delete;
  ~Aligned() { std::free(data); }
};

// Memory of strips; needs the GIL.
class Held {
 public:
  void* data;
  explicit Held(size_t size) : data(nullptr), region_{nullptr, 0} {
    constexpr size_t large = size_t(1) << 20;
    if (size >= large) region_ = take_region(size);
    data = region_.data ? region_.data : std::aligned_alloc(64, (size + 63) / 64 * 64);
    if (!data) throw std::bad_alloc();
  }
  Held(const Held&) = delete;
  ~Held() {
    if (region_.data)
      return_region(region_);
    else
      std::free(data);
  }

 private:
  Region region_;
};

// Calls kernel(begin, end, workspace) over parts of `count` things of so many scores each, without the GIL.
template <class Kernel>
void over_parts(int64_t count, int64_t cost, int64_t classes, int threads, const Kernel& kernel) {
  const int64_t slot = (workspace_size(classes) + 7) / 8 * 8;
  const Aligned workspace(slot * threads);
  parallel_rows(count, cost, threads, [&](int64_t begin, int64_t end) {
    kernel(begin, end, workspace.data + slot * current_worker());
  });
}

// Calls kernel(first, count, strip, workspace) on strips: some rows of a matrix whose rows of each class are contiguous, copied
// to where their classes are. What the kernel leaves in the strip goes to `results`, a matrix like it, where that is not null.
template <class T, class Kernel>
void over_strips(const T* columns, T* results, int64_t rows, int64_t classes, const Kernel& kernel) {
  // Rows that fill whole lines of memory, and a strip that fits into the nearest cache where rows are short.
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t most = line * std::max<int64_t>(1, 4096 / (line * classes)), slot = most * classes;
  const InstructionSet& kernels = instruction_set();
  const int threads = num_threads();
  const Held memory(size_t(threads) * slot * sizeof(T));
  const nanobind::gil_scoped_release released;
  over_parts((rows + most - 1) / most, slot, classes, threads, [&](int64_t begin, int64_t end, double* workspace) {
    T* strip = static_cast<T*>(memory.data) + current_worker() * slot;
    for (int64_t first = begin * most; first < std::min(end * most, rows); first += most) {
      const int64_t count = std::min(most, rows - first);
      kernels.transpose({element_of<T>(false), columns + first, classes, count, rows, strip, classes, false});
      kernel(first, count, strip, workspace);
      if (results) kernels.transpose({element_of<T>(false), strip, count, classes, classes, results + first, rows, true});
    }
  });
}

}  // namespace lastlayer
