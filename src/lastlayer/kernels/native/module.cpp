// Python's view of the kernels: shapes and dtypes are checked here, and nothing is computed.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <optional>

#include "kernels.hpp"
#include "reduction.hpp"
#include "threads.hpp"

#include <nanobind/stl/optional.h>

namespace nb = nanobind;
using namespace nb::literals;
using namespace lastlayer;

namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Any = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
template <class T>
using Flat = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void require(bool fits, const char* what) {
  if (!fits) throw nb::type_error(what);
}

template <class T>
const RowKernels<T>& kernels(int mapping);
template <>
const RowKernels<float>& kernels<float>(int mapping) {
  require(mapping >= 0 && mapping < float32_count, "there is no such mapping in float32");
  return instruction_set().float32[mapping];
}
template <>
const RowKernels<double>& kernels<double>(int mapping) {
  require(mapping >= 0 && mapping < float64_count, "there is no such mapping in float64");
  return instruction_set().float64[mapping];
}

template <size_t count>
nb::tuple names(const char* const (&mappings)[count]) {
  nb::list list;
  for (const char* mapping : mappings) list.append(nb::str(mapping));
  return nb::tuple(list);
}

// Scores of any shape with the classes last; out has that shape, without the classes for a log-partition.
template <class T>
void evaluate(const Any<const T>& scores, const Any<T>& out, int quantity, int mapping) {
  require(quantity >= 0 && quantity <= 2, "quantity must be 0, 1 or 2");
  const Quantity wanted = Quantity(quantity);
  require(scores.ndim() > 0 && scores.shape(scores.ndim() - 1) > 0, "scores have no classes");
  const size_t axes = scores.ndim() - (wanted == Quantity::log_partition ? 1 : 0);
  bool fits = out.ndim() == axes;
  for (size_t axis = 0; fits && axis < axes; ++axis) fits = out.shape(axis) == scores.shape(axis);
  require(fits, "out has not the shape of the result");
  const int64_t classes = int64_t(scores.shape(scores.ndim() - 1)), rows = int64_t(scores.size()) / classes;
  const T* from = scores.data();
  T* to = out.data();
  const auto& kernel = kernels<T>(mapping);
  nb::gil_scoped_release released;
  parallel_rows(rows, classes, [&](int64_t begin, int64_t end) {
    kernel.evaluate(from, to, begin, end, classes, wanted);
  });
}

template <class T>
nb::tuple label_loss(const Matrix<const T>& scores, const Flat<const int64_t>& labels, const Flat<double>& losses,
                     const std::optional<Matrix<T>>& gradient, const std::optional<Flat<const double>>& class_weight,
                     const std::optional<Flat<const double>>& row_weight, int64_t ignore_index, double label_smoothing,
                     double z_loss, double temperature, bool is_mean, int mapping) {
  const size_t rows = scores.shape(0), classes = scores.shape(1);
  require(classes > 0, "scores have no classes");
  require(labels.shape(0) == rows, "labels are not one a row");
  require(losses.shape(0) == rows, "losses are not one a row");
  require(!gradient || (gradient->shape(0) == rows && gradient->shape(1) == classes), "gradient has not the scores' shape");
  require(!class_weight || class_weight->shape(0) == classes, "class_weight is not one a class");
  require(!row_weight || row_weight->shape(0) == rows, "row_weight is not one a row");
  LabelLoss options{labels.data(),
                    class_weight ? class_weight->data() : nullptr,
                    row_weight ? row_weight->data() : nullptr,
                    ignore_index,
                    label_smoothing,
                    z_loss,
                    temperature,
                    double(classes),
                    1.0};
  const T* from = scores.data();
  T* to = gradient ? gradient->data() : nullptr;
  double* each = losses.data();
  const auto& kernel = kernels<T>(mapping);
  double total, weight;
  {
    nb::gil_scoped_release released;
    if (options.class_weight) options.total_class_weight = sum_of(options.class_weight, int64_t(classes));
    weight = denominator(options, int64_t(rows), int64_t(classes));
    if (is_mean && weight > 0.0) options.gradient_scale = 1.0 / weight;
    parallel_rows(int64_t(rows), int64_t(classes), [&](int64_t begin, int64_t end) {
      kernel.label_loss(from, to, each, begin, end, int64_t(classes), options);
    });
    total = sum_of(each, int64_t(rows));
  }
  return nb::make_tuple(total, weight);
}

template <class T>
void define(nb::module_& m) {
  m.def("evaluate", &evaluate<T>, "scores"_a.noconvert(), "out"_a.noconvert(), "quantity"_a, "mapping"_a);
  m.def("label_loss", &label_loss<T>, "scores"_a.noconvert(), "labels"_a.noconvert(), "losses"_a.noconvert(),
        "gradient"_a.noconvert().none(), "class_weight"_a.noconvert().none(), "row_weight"_a.noconvert().none(),
        "ignore_index"_a, "label_smoothing"_a, "z_loss"_a, "temperature"_a, "is_mean"_a, "mapping"_a);
}

}  // namespace

NB_MODULE(native, m) {
  m.doc() = "Row kernels on raw buffers: scores of shape (N, K), classes contiguous.";
  define<float>(m);
  define<double>(m);
  m.attr("FLOAT32_MAPPINGS") = names(float32_mappings);
  m.attr("FLOAT64_MAPPINGS") = names(float64_mappings);
  m.def("instruction_set", [] { return instruction_set().name; });
  m.def("num_threads", &num_threads);
  m.def("set_num_threads", &set_num_threads, "n"_a);
}
