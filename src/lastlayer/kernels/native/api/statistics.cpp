// The binding of the statistics of softmax. It checks shapes and dtypes, and computes nothing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "../runtime/parallel.hpp"
#include "../runtime/threads.hpp"
#include "kernels.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lastlayer;

namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Grid = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;
template <class T>
using Flat = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void require(bool fits, const char* what) {
  if (!fits) throw nb::type_error(what);
}

using Places = Flat<const int64_t>;
using Weights = std::optional<Flat<const double>>;

template <class T>
ScoreRows score_rows(const Grid<T>& scores, const Places& places, const Weights& class_weight, double temperature,
                     double softcap, bool is_bfloat16) {
  const size_t rows = scores.shape(0), classes = scores.shape(1);
  require(classes > 0, "scores have no classes");
  require(classes < 2 || scores.stride(1) == 1, "the classes of scores must be contiguous");
  require(rows < 2 || scores.stride(0) >= int64_t(classes), "rows of scores overlap");
  require(places.shape(0) == rows, "places must have one entry per row");
  require(!class_weight || class_weight->shape(0) == classes, "class_weight must have one entry per class");
  require(temperature > 0.0 && softcap >= 0.0, "temperature must be positive, and softcap must not be negative");
  return {element_of<T>(is_bfloat16),
          scores.data(),
          int64_t(rows),
          int64_t(classes),
          scores.stride(0),
          places.data(),
          class_weight ? class_weight->data() : nullptr,
          temperature,
          softcap};
}

template <class T>
void row_sums(const Grid<T>& scores, const Places& places, const Matrix<double>& numbers, const Flat<int64_t>& argmax,
              bool wants_distances, const Weights& class_weight, double temperature, double softcap, bool is_bfloat16) {
  RowSums request{score_rows(scores, places, class_weight, temperature, softcap, is_bfloat16), numbers.data(),
                  argmax.data(), wants_distances};
  require(numbers.shape(0) == RowSums::count && int64_t(numbers.shape(1)) == request.rows,
          "numbers must have the shape (6, rows)");
  require(int64_t(argmax.shape(0)) == request.rows, "argmax must have one entry per row");
  const InstructionSet& kernels = instruction_set();
  const nb::gil_scoped_release released;
  parallel_rows(request.rows, request.classes, num_threads(),
                [&](int64_t begin, int64_t end) { kernels.row_sums(request, begin, end); });
}

template <class T>
void row_slopes(const Grid<T>& scores, const Places& places, const Matrix<const double>& numbers,
                const Flat<const bool>& is_live, const Weights& class_weight, double temperature, double softcap,
                bool is_bfloat16) {
  const RowSlopes request{score_rows(scores, places, class_weight, temperature, softcap, is_bfloat16), numbers.data(),
                          is_live.data()};
  require(numbers.shape(0) == RowSlopes::count && int64_t(numbers.shape(1)) == request.rows,
          "numbers must have the shape (6, rows)");
  require(int64_t(is_live.shape(0)) == request.rows, "is_live must have one entry per row");
  const InstructionSet& kernels = instruction_set();
  const nb::gil_scoped_release released;
  parallel_rows(request.rows, request.classes, num_threads(),
                [&](int64_t begin, int64_t end) { kernels.row_slopes(request, begin, end); });
}

template <class T>
void define(nb::module_& m) {
  m.def("row_sums", &row_sums<T>, "scores"_a.noconvert(), "places"_a.noconvert(), "numbers"_a.noconvert(),
        "argmax"_a.noconvert(), "wants_distances"_a = false, "class_weight"_a.noconvert().none() = nb::none(),
        "temperature"_a = 1.0, "softcap"_a = 0.0, "is_bfloat16"_a = false);
  m.def("row_slopes", &row_slopes<T>, "scores"_a.noconvert(), "places"_a.noconvert(), "numbers"_a.noconvert(),
        "is_live"_a.noconvert(), "class_weight"_a.noconvert().none() = nb::none(), "temperature"_a = 1.0,
        "softcap"_a = 0.0, "is_bfloat16"_a = false);
}

}  // namespace

void define_statistics(nb::module_& m) {
  define<float>(m);
  define<double>(m);
  define<uint16_t>(m);
}
