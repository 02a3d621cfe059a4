// The Python binding. It checks shapes and dtypes, and computes nothing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

#include "../runtime/memory.hpp"
#include "../runtime/parallel.hpp"
#include "../runtime/processors.hpp"
#include "../runtime/reduction.hpp"
#include "../runtime/threads.hpp"
#include "../runtime/workspace.hpp"
#include "../thresholds.hpp"
#include "kernels.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lastlayer;

// In statistics.cpp.
void define_statistics(nb::module_& m);

namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Grid = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;
template <class T>
using Any = nb::ndarray<T, nb::device::cpu>;
template <class T>
using Flat = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void require(bool fits, const char* what) {
  if (!fits) throw nb::type_error(what);
}

MappingAt mapping_at(int mapping, double parameter, const std::optional<Flat<const double>>& row_parameters,
                     size_t rows) {
  require(mapping >= 0 && mapping < mapping_count, "there is no such mapping");
  const bool is_taylor = Mapping(mapping) == Mapping::taylor, is_entmax = Mapping(mapping) == Mapping::entmax;
  require(!is_taylor || (parameter >= 2.0 && parameter <= 18.0 && parameter == 2 * int(parameter / 2)),
          "taylor's order must be even, from 2 to 18");
  require(!row_parameters || (is_entmax && row_parameters->shape(0) == rows),
          "row_parameters must have one number per row, and belong to entmax");
  require(!is_entmax || row_parameters || (parameter >= 1.0 && parameter < 1e300), "entmax's alpha must be at least 1");
  // Sparsemax is entmax at alpha = 2.
  if (Mapping(mapping) == Mapping::sparsemax) parameter = 2.0;
  return {Mapping(mapping), parameter, row_parameters ? row_parameters->data() : nullptr};
}

// Whether rows are contiguous, one after the other; or columns.
template <class Array>
bool has_rows(const Array& array) {
  int64_t step = 1;
  for (size_t axis = array.ndim(); axis-- > 0; step *= int64_t(array.shape(axis)))
    if (array.shape(axis) > 1 && array.stride(axis) != step) return array.size() == 0;
  return true;
}
template <class Array>
bool has_columns(const Array& array) {
  return sizeof(typename Array::Scalar) >= 4 && array.ndim() == 2 && array.stride(0) == 1 &&
         array.stride(1) == int64_t(array.shape(0));
}

std::atomic<size_t> nontemporal_limit{size_t(thresholds::nontemporal_bytes)};

size_t set_nontemporal_limit(size_t bytes) { return nontemporal_limit.exchange(bytes); }

// Results in place are stored as usual: the scores' cache lines are in the caches already.
template <class T>
bool wants_nontemporal(const T* scores, const T* results, size_t count) {
  return results != scores && count * sizeof(T) >= nontemporal_limit;
}

template <class T, bool is_of_logarithms>
void pull_back(const Matrix<const T>& slopes, const Matrix<const T>& cotangents, const Matrix<T>& out) {
  const size_t rows = slopes.shape(0), classes = slopes.shape(1);
  require(cotangents.shape(0) == rows && cotangents.shape(1) == classes, "cotangents must have the slopes' shape");
  require(out.shape(0) == rows && out.shape(1) == classes, "out must have the slopes' shape");
  const VjpRequest request{element_of<T>(false), is_of_logarithms, slopes.data(),
                           cotangents.data(),    out.data(),       int64_t(classes)};
  const InstructionSet& kernels = instruction_set();
  const nb::gil_scoped_release released;
  parallel_rows(int64_t(rows), int64_t(classes), num_threads(),
                [&](int64_t begin, int64_t end) { kernels.vjp(request, begin, end); });
}

// Transposes a block of columns into the rows they belong to.
template <class T>
void place_columns(const Matrix<const T>& columns, const Grid<T>& rows) {
  const int64_t classes = int64_t(columns.shape(0)), count = int64_t(columns.shape(1));
  require(int64_t(rows.shape(0)) == count && int64_t(rows.shape(1)) == classes,
          "rows must have the columns' shape, transposed");
  require(classes < 2 || rows.stride(1) == 1, "the classes of rows must be contiguous");
  require(count < 2 || rows.stride(0) >= classes, "rows overlap");
  const InstructionSet& kernels = instruction_set();
  const nb::gil_scoped_release released;
  // Each thread writes whole cache lines of the rows.
  constexpr int64_t line = 64 / sizeof(T);
  parallel_rows((classes + line - 1) / line, line * count, num_threads(), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * line, last = std::min(end * line, classes);
    kernels.transpose({element_of<T>(false), columns.data() + first * count, last - first, count, count,
                       rows.data() + first, rows.stride(0), true});
  });
}

// Scores of any shape with the classes last. out has the same shape, without the class axis for a log-partition.
template <class T>
void evaluate(const Any<const T>& scores, const Any<T>& out, int quantity, int mapping, double parameter,
              const std::optional<Flat<const double>>& row_parameters, bool is_bfloat16) {
  require(quantity >= 0 && quantity <= 2, "quantity must be 0, 1 or 2");
  const Quantity wanted = Quantity(quantity);
  require(scores.ndim() > 0 && scores.shape(scores.ndim() - 1) > 0, "scores have no classes");
  const size_t axes = scores.ndim() - (wanted == Quantity::log_partition ? 1 : 0);
  bool fits = out.ndim() == axes;
  for (size_t axis = 0; fits && axis < axes; ++axis) fits = out.shape(axis) == scores.shape(axis);
  require(fits, "out must have the shape of the result");
  const bool is_by_columns = !has_rows(scores) && has_columns(scores);
  require(is_by_columns || has_rows(scores), "scores must be contiguous rows or contiguous columns");
  require(is_by_columns && wanted != Quantity::log_partition ? has_columns(out) : has_rows(out),
          "out must have the layout of the scores");
  const int64_t classes = int64_t(scores.shape(scores.ndim() - 1)), rows = int64_t(scores.size()) / classes;
  const Evaluation request{mapping_at(mapping, parameter, row_parameters, size_t(rows)),
                           element_of<T>(is_bfloat16),
                           wanted,
                           scores.data(),
                           out.data(),
                           classes,
                           wants_nontemporal(scores.data(), out.data(), out.size())};
  const InstructionSet& kernels = instruction_set();
  const int64_t doubles = workspace_size(classes, evaluation_arrays);
  if (is_by_columns) {
    const ColumnStrips<T> strips(rows, classes, doubles);
    const nb::gil_scoped_release released;
    T* results = wanted == Quantity::log_partition ? nullptr : out.data();
    return strips.run(scores.data(), results, [&](int64_t first, int64_t count, T* strip, double* workspace) {
      kernels.evaluate(request.of_strip(first, strip), 0, count, workspace);
    });
  }
  const RowShares shares(rows, classes, doubles);
  const nb::gil_scoped_release released;
  shares.run([&](int64_t begin, int64_t end, double* workspace) { kernels.evaluate(request, begin, end, workspace); });
}

// Returns the total of the losses and the denominator of their mean. Returns None, and writes nothing, if a label is
// bad and bad labels are refused.
#define LASTLAYER_PARAMETER(type, name) type name,
#define LASTLAYER_VALUE(type, name) name,
#define LASTLAYER_ARGUMENT(type, name) nb::arg(#name),
template <class T>
nb::object loss(const Grid<const T>& scores, const std::optional<Flat<const int64_t>>& labels,
                const std::optional<Matrix<const double>>& soft, const std::optional<Matrix<const float>>& soft32,
                const Flat<double>& losses, const std::optional<Grid<T>>& gradient,
                const std::optional<Flat<const double>>& class_weight,
                const std::optional<Flat<const double>>& row_weight,
                LASTLAYER_LOSS_OPTIONS(LASTLAYER_PARAMETER) std::optional<double> gradient_scale, int mapping,
                double parameter, const std::optional<Flat<const double>>& row_parameters, bool is_bfloat16,
                bool refuses_bad_labels) {
  const size_t rows = scores.shape(0), classes = scores.shape(1);
  const auto is_like_scores = [&](const auto& matrix) {
    return !matrix || (matrix->shape(0) == rows && matrix->shape(1) == classes);
  };
  require(classes > 0, "scores have no classes");
  require(int(bool(labels)) + int(bool(soft)) + int(bool(soft32)) == 1, "targets must be either labels or soft");
  require(!labels || labels->shape(0) == rows, "labels must have one entry per row");
  require(is_like_scores(soft) && is_like_scores(soft32), "soft targets must have the scores' shape");
  require(losses.shape(0) == rows, "losses must have one entry per row");
  require(is_like_scores(gradient), "gradient must have the scores' shape");
  const bool is_by_columns = !has_rows(scores) && has_columns(scores);
  require(is_by_columns || has_rows(scores), "scores must be contiguous rows or contiguous columns");
  require(!gradient || (is_by_columns ? has_columns(*gradient) : has_rows(*gradient)),
          "gradient must have the layout of the scores");
  require(!class_weight || class_weight->shape(0) == classes, "class_weight must have one entry per class");
  require(!row_weight || row_weight->shape(0) == rows, "row_weight must have one entry per row");
  require(temperature > 0.0 && softcap >= 0.0, "temperature must be positive, and softcap must not be negative");
  Loss request{LossOptions{LASTLAYER_LOSS_OPTIONS(LASTLAYER_VALUE)},
               mapping_at(mapping, parameter, row_parameters, rows),
               element_of<T>(is_bfloat16),
               scores.data(),
               gradient ? gradient->data() : nullptr,
               losses.data(),
               int64_t(classes),
               labels ? labels->data() : nullptr,
               soft     ? static_cast<const void*>(soft->data())
               : soft32 ? soft32->data()
                        : nullptr,
               soft ? Element::float64 : Element::float32,
               class_weight ? class_weight->data() : nullptr,
               row_weight ? row_weight->data() : nullptr,
               gradient_scale.value_or(1.0),
               gradient && wants_nontemporal(scores.data(), gradient->data(), scores.size())};
  const InstructionSet& kernels = instruction_set();
  const int64_t count = int64_t(rows), each = int64_t(classes), doubles = workspace_size(each, loss_arrays);
  double weight, total;
  // Computes the denominator, whose inverse scales the gradient of a mean, then the rows and their total. Returns
  // whether it did.
  const auto compute = [&](const auto& run) {
    const nb::gil_scoped_release released;
    weight = denominator(request, count);
    if (refuses_bad_labels && labels && !(weight == weight)) return false;
    if (!gradient_scale && weight > 0.0) request.gradient_scale = 1.0 / weight;
    run();
    total = sum_of_rows(request.losses, count);
    return true;
  };
  bool is_done;
  if (is_by_columns) {
    const ColumnStrips<T> strips(count, each, doubles);
    is_done = compute([&] {
      strips.run(scores.data(), gradient ? gradient->data() : nullptr,
                 [&](int64_t first, int64_t some, T* strip, double* workspace) {
                   kernels.loss(request.of_strip(first, strip), 0, some, workspace);
                 });
    });
  } else {
    const RowShares shares(count, each, doubles);
    is_done = compute([&] {
      shares.run([&](int64_t begin, int64_t end, double* workspace) { kernels.loss(request, begin, end, workspace); });
    });
  }
  if (!is_done) return nb::none();
  return nb::make_tuple(total, weight);
}

template <class T>
void define(nb::module_& m) {
  m.def("evaluate", &evaluate<T>, "scores"_a.noconvert(), "out"_a.noconvert(), "quantity"_a, "mapping"_a,
        "parameter"_a = 0.0, "row_parameters"_a.noconvert().none() = nb::none(), "is_bfloat16"_a = false);
  m.def("loss", &loss<T>, "scores"_a.noconvert(), "labels"_a.noconvert().none(), "soft"_a.noconvert().none(),
        "soft32"_a.noconvert().none(), "losses"_a.noconvert(), "gradient"_a.noconvert().none(),
        "class_weight"_a.noconvert().none(), "row_weight"_a.noconvert().none(),
        LASTLAYER_LOSS_OPTIONS(LASTLAYER_ARGUMENT) "gradient_scale"_a.none(), "mapping"_a, "parameter"_a = 0.0,
        "row_parameters"_a.noconvert().none() = nb::none(), "is_bfloat16"_a = false, "refuses_bad_labels"_a = false);
  if constexpr (sizeof(T) >= 4) {
    m.def("place_columns", &place_columns<T>, "columns"_a.noconvert(), "rows"_a.noconvert());
    m.def("pull_back", &pull_back<T, false>, "slopes"_a.noconvert(), "cotangents"_a.noconvert(), "out"_a.noconvert());
    m.def("pull_back_logarithms", &pull_back<T, true>, "logarithms"_a.noconvert(), "cotangents"_a.noconvert(),
          "out"_a.noconvert());
  }
}

// Whether a signal handler has raised, for example on Ctrl-C. Then Python raises its exception.
bool has_python_raised() {
  const nb::gil_scoped_acquire held;
  return PyErr_CheckSignals() != 0;
}

// The memory of a large result. It is kept for the next result when the last array that uses it is gone.
nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>> large_buffer(size_t size) {
  auto region = std::make_unique<Region>(take_region(size));
  void* data = region->data;
  const nb::capsule owner(region.release(), [](void* held) noexcept {
    const std::unique_ptr<Region> gone(static_cast<Region*>(held));
    return_region(*gone);
  });
  return {data, {size}, owner};
}

}  // namespace

NB_MODULE(native, m) {
  m.doc() =
      "Row kernels on raw buffers: scores of shape (N, K), classes contiguous; float16 and bfloat16 as uint16 bits.";
  set_interrupt_check(has_python_raised);
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Interrupted&) {
      // Python's exception is already set.
    }
  });
  define<float>(m);
  define<double>(m);
  define<uint16_t>(m);
  define_statistics(m);
  nb::list names;
  for (const char* name : mapping_names) names.append(nb::str(name));
  m.attr("MAPPINGS") = nb::tuple(names);
  m.def("large_buffer", &large_buffer, "size"_a);
  m.def("kept_bytes", &kept_bytes);
  m.def("kept_limit", &kept_limit);
  m.def("instruction_set", [] { return instruction_set().name; });
  m.def("set_nontemporal_limit", &set_nontemporal_limit, "bytes"_a);
  m.def("num_threads", &num_threads);
  m.def("borrow_threads", &borrow_threads);
  m.def("set_num_threads", &set_num_threads, "n"_a);
  m.def("granted_processors", &granted_processors, "root"_a, "membership"_a);
}
