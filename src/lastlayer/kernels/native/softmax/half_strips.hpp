// Softmax of half types: strips of rows are widened to float32, whose rounding error is negligible against that of the
// result.
#pragma once

#include "../api/requests.hpp"
#include "../runtime/workspace.hpp"
#include "../simd/elements.hpp"

namespace lastlayer::LASTLAYER_ISA {
namespace {

template <class E, class Point>
struct SoftmaxLoops;

template <class E, class Point>
struct HalfStrips {
  using InFloat = SoftmaxLoops<float, Point>;

  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const E* scores = static_cast<const E*>(r.scores);
    E* out = static_cast<E*>(r.out);
    over_strips(r.classes, begin, end, memory, [&](int64_t first, int64_t rows, float* strip, double* block_memory) {
      widen_all(scores + first * r.classes, strip, rows * r.classes);
      Evaluation part = r.of_strip(first, strip);
      part.element = Element::float32;
      const bool is_one_a_row = r.quantity == Quantity::log_partition;
      float* results = is_one_a_row ? strip + rows * r.classes : strip;
      part.out = results;
      InFloat::evaluate(part, 0, rows, block_memory);
      const int64_t each = is_one_a_row ? 1 : r.classes;
      round_all(results, out + first * each, rows * each);
    });
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const E* scores = static_cast<const E*>(r.scores);
    E* gradient = static_cast<E*>(r.gradient);
    over_strips(r.classes, begin, end, memory, [&](int64_t first, int64_t rows, float* strip, double* block_memory) {
      widen_all(scores + first * r.classes, strip, rows * r.classes);
      Loss part = r.of_strip(first, strip);
      part.element = Element::float32;
      InFloat::loss(part, 0, rows, block_memory);
      if (gradient) round_all(strip, gradient + first * r.classes, rows * r.classes);
    });
  }

 private:
  template <class Work>
  static void over_strips(int64_t classes, int64_t begin, int64_t end, double* memory, Work work) {
    const int64_t most = half_strip_rows(classes);
    double* block_memory = memory + half_strip_size(classes);
    for (int64_t i = begin; i < end; i += most)
      work(i, end - i < most ? end - i : most, reinterpret_cast<float*>(memory), block_memory);
  }
};

}  // namespace
}  // namespace lastlayer::LASTLAYER_ISA
