// The row loops: maximum, weights and their sum, then what was asked for. A row is read from memory once; the later passes
// find it in cache. Compiled once per instruction set, into the namespace LASTLAYER_ISA.
#include <math.h>
#include <stdlib.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "kernels.hpp"

namespace lastlayer {
namespace LASTLAYER_ISA {
namespace {

#include "vectors.hpp"

constexpr double infinity = __builtin_huge_val();
constexpr double not_a_number = __builtin_nan("");

// A buffer that grows. Nothing of the standard library's templates may be compiled here: the linker keeps one copy of
// each, and it could be the one for another processor.
template <class T>
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { free(data_); }
  // Null where memory ran out.
  T* of(int64_t size) {
    if (size > size_) {
      free(data_);
      data_ = static_cast<T*>(malloc(size_t(size) * sizeof(T)));
      size_ = data_ ? size : 0;
    }
    return data_;
  }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
};

#include "passes.hpp"
#include "one_row.hpp"
#include "few_classes.hpp"

// ---- Every row of a part. -----------------------------------------------------------------------------------------------

template <class T>
void evaluate(const T* scores, T* out, int64_t begin, int64_t end, int64_t classes, Quantity quantity) {
  Scratch<T> scratch;
  if (classes > few) return evaluate_rows(scores, out, begin, end, classes, quantity, scratch);
  Tile<T> tile;
  const int64_t width = quantity == Quantity::log_partition ? 1 : classes;
  for (int64_t i = begin; i < end; i += tile.n) {
    const int rows = int(end - i < tile.n ? end - i : tile.n);
    evaluate_tile(scores + i * classes, out + i * width, rows, classes, quantity, tile, scratch);
  }
}

template <class T>
void label_loss(const T* scores, T* gradient, double* losses, int64_t begin, int64_t end, int64_t classes,
                const LabelLoss& options) {
  LossRows<T> alone;
  if (classes > few || options.temperature != 1.0) {
    for (int64_t i = begin; i < end; ++i)
      losses[i] = alone(scores + i * classes, gradient ? gradient + i * classes : nullptr, i, classes, options);
    return;
  }
  Tile<T> tile;
  for (int64_t i = begin; i < end; i += tile.n) {
    const int rows = int(end - i < tile.n ? end - i : tile.n);
    label_loss_tile(scores + i * classes, gradient ? gradient + i * classes : nullptr, losses, i, rows, classes, options,
                    tile, alone);
  }
}

#include "algebraic.hpp"

}  // namespace

const InstructionSet kernels = {LASTLAYER_ISA_NAME,
                                {{evaluate<float>, label_loss<float>},
                                 {algebraic_evaluate<Ratio>, algebraic_label_loss<Ratio>},
                                 {algebraic_evaluate<Spherical>, algebraic_label_loss<Spherical>},
                                 {algebraic_evaluate<Stablemax>, algebraic_label_loss<Stablemax>},
                                 {algebraic_evaluate<Taylor>, algebraic_label_loss<Taylor>}},
                                {{evaluate<double>, label_loss<double>}}};

}  // namespace LASTLAYER_ISA
}  // namespace lastlayer
