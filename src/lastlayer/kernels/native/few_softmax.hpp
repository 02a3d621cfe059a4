// Softmax of rows with few classes: what was asked of each row, by the passes of few_rows.hpp. What they are not made for
// goes to the blocks that every mapping has. Included by rows.hpp.

template <class T, class Rows>
struct FewSoftmax {
  using Tile = FewRows<T>;
  using W = typename Tile::W;
  static constexpr int n = Tile::n, parts = Tile::parts;

  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    T* out = static_cast<T*>(r.out);
    for (int64_t i = begin; i < end; i += n) {
      const int rows = int(end - i < n ? end - i : n);
      Tile tile(scores + i * r.classes, rows, r.classes, tile_memory(memory, r.classes),
                scores + (i + n < end ? i + n : i) * r.classes, out + i * r.classes);
      bool is_elsewhere[n] = {};
      const auto is_usual = tile.is_usual();
      for (int row = 0; row < rows; ++row)
        if ((is_elsewhere[row] = !is_usual[row])) Blocks<T, Rows>::evaluate(r, i + row, i + row + 1, memory);
      if (r.quantity == Quantity::probabilities) {
        W inverse[parts];
        for (int part = 0; part < parts; ++part) inverse[part] = W(all(1.0)) / tile.total[part];
        tile.multiply(inverse, nullptr);
        tile.write(tile.weights, out + i * r.classes, rows, is_elsewhere);
        continue;
      }
      W log_sum[parts];
      D rounded[parts];
      tile.logarithms(log_sum);
      for (int part = 0; part < parts; ++part)
        rounded[part] = r.quantity == Quantity::log_partition ? (tile.wide(tile.largest, part) + log_sum[part]).value()
                                                               : log_sum[part].value();
      const Vector<T> of_rows = tile.narrow(rounded);
      if (r.quantity == Quantity::log_partition) {
        for (int row = 0; row < rows; ++row)
          if (!is_elsewhere[row]) out[i + row] = of_rows[row];
        continue;
      }
      // (x - max) - log(total / top): both parts are <= 0, so nothing cancels.
      for (int64_t j = 0; j < r.classes; ++j)
        store<T>(tile.x + j * n, (load(tile.x + j * n) - tile.largest) - of_rows);
      tile.write(tile.x, out + i * r.classes, rows, is_elsewhere);
    }
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    for (int64_t i = begin; i < end; i += n) loss_of_tile(r, i, int(end - i < n ? end - i : n), memory);
  }

 private:
  // Behind what the blocks work in, to which a row may go meanwhile.
  static T* tile_memory(double* memory, int64_t classes) {
    return reinterpret_cast<T*>(memory + 5 * classes * lanes);
  }

  static void loss_of_tile(const Loss& r, int64_t first, int rows, double* memory) {
    const int64_t classes = r.classes;
    const T* scores = static_cast<const T*>(r.scores) + first * classes;
    T* gradient = r.gradient ? static_cast<T*>(r.gradient) + first * classes : nullptr;
    Tile tile(scores, rows, classes, tile_memory(memory, classes), scores + (rows == n ? n : 0) * classes,
              gradient ? gradient : scores);
    bool is_elsewhere[n] = {};
    const auto is_usual = tile.is_usual();
    alignas(64) double target[n] = {}, weight[n] = {}, own_score[n] = {}, own_weight[n] = {};
    int64_t label[n] = {};
    const double even = r.label_smoothing / double(classes);
    const int64_t* labels = r.labels + first;
    for (int row = 0; row < rows; ++row) {
      const int64_t own = labels[row];
      const bool is_label = own >= 0 && own < classes;
      is_elsewhere[row] = !is_usual[row] | !is_label | (own == r.ignore_index) | (r.row_weight && r.row_weight[first + row] == 0.0);
      label[row] = is_elsewhere[row] ? 0 : own;
      target[row] = 1.0 - r.label_smoothing + even;
      weight[row] = 1.0;
      own_score[row] = double(tile.x[label[row] * n + row]);
      own_weight[row] = double(tile.weights[label[row] * n + row]);
    }
    for (int row = 0; r.class_weight && row < rows; ++row) target[row] = r.class_weight[label[row]];
    for (int row = 0; r.row_weight && row < rows; ++row) weight[row] = r.row_weight[first + row];
    for (int row = 0; row < rows; ++row)
      if (is_elsewhere[row]) Blocks<T, Rows>::loss(r, first + row, first + row + 1, memory);
    W log_sum[parts], factor[parts];
    tile.logarithms(log_sum);
    alignas(64) double losses[n], own[n];
    for (int part = 0; part < parts; ++part) {
      const D y = load(target + part * lanes), w = load(weight + part * lanes), log_total = log_sum[part].value();
      const D largest = tile.wide(tile.largest, part).hi, total = y - even + r.label_smoothing;
      D loss = (log_sum[part] * W(total)).value() + (y - even) * (largest - load(own_score + part * lanes)), pull{};
      if (even != 0.0) loss += even * tile.distance(part);
      if (r.z_loss != 0.0) {
        const D z = largest + log_total;
        loss += r.z_loss * z * z;
        pull = 2.0 * r.z_loss * z;
      }
      store(losses + part * lanes, w * loss);
      if (!gradient) continue;
      const D scale = w * r.gradient_scale, p = load(own_weight + part * lanes);
      // The label's own entry is made of the other classes alone: p - 1 would round to zero before they do.
      const W inverse = W(all(1.0)) / tile.total[part];
      const W rest = choose(p == tile.wide(tile.kept, part).hi, tile.others[part], tile.total[part] - W(p));
      store(own + part * lanes, ((total - y + pull) * (p * inverse.hi) - y * (rest * inverse).value()) * scale);
      factor[part] = inverse * W(scale * (total + pull));
    }
    for (int row = 0; row < rows; ++row)
      if (!is_elsewhere[row]) r.losses[first + row] = losses[row];
    if (!gradient) return;
    alignas(64) double shares[n];
    for (int row = 0; row < n; ++row) shares[row] = weight[row] * r.gradient_scale * even;
    tile.multiply(factor, even != 0.0 ? shares : nullptr);
    for (int row = 0; row < rows; ++row) tile.weights[label[row] * n + row] = T(own[row]);
    tile.write(tile.weights, gradient, rows, is_elsewhere);
  }
};
