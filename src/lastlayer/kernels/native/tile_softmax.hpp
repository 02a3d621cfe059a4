// Softmax of rows by tiles: what was asked of each row, by the passes of few_rows.hpp or middle_rows.hpp. What they are not
// made for goes to the blocks that every mapping has. Included by rows.hpp.

template <class T, class Rows, class Tile>
struct TileSoftmax {
  using W = typename Tile::W;
  static constexpr int n = Tile::n, parts = Tile::parts;

  static void evaluate(const Evaluation& r, int64_t begin, int64_t end, double* memory) {
    const T* scores = static_cast<const T*>(r.scores);
    T* out = static_cast<T*>(r.out);
    double* rest = memory + Tile::memory_size(r.classes);
    const bool is_total_enough = r.quantity == Quantity::probabilities;
    const int tile_rows = Tile::rows_at_a_time(r.classes);
    const auto begin_tile = [&](int64_t i) {
      return Tile::begin(scores + i * r.classes, int(end - i < tile_rows ? end - i : tile_rows), r.classes);
    };
    Vector<T> largest = begin_tile(begin);
    for (int64_t i = begin; i < end; i += tile_rows) {
      const int rows = int(end - i < tile_rows ? end - i : tile_rows);
      T* to = r.quantity == Quantity::log_partition ? nullptr : out + i * r.classes;
      Tile tile(scores + i * r.classes, to, is_total_enough, rows, r.classes, reinterpret_cast<T*>(memory), largest);
      const int64_t next = ahead(i, end, tile_rows, r.classes);
      bool is_elsewhere[n] = {};
      const auto is_finite = tile.is_finite();
      for (int row = 0; row < rows; ++row)
        if ((is_elsewhere[row] = !is_finite[row])) Blocks<T, Rows>::evaluate(r, i + row, i + row + 1, rest);
      if (is_total_enough) {
        tile.weigh_for_total(is_elsewhere, next);
        if (i + tile_rows < end) largest = begin_tile(i + tile_rows);
        W inverse[parts];
        for (int part = 0; part < parts; ++part) inverse[part] = W(all(1.0)) / tile.total[part];
        tile.multiply(inverse, nullptr, is_elsewhere);
        tile.write(to, is_elsewhere);
        continue;
      }
      tile.weigh(is_elsewhere, next);
      if (i + tile_rows < end) largest = begin_tile(i + tile_rows);
      W log_sum[parts];
      D rounded[parts];
      tile.logarithms(log_sum);
      for (int part = 0; part < parts; ++part)
        rounded[part] = (to ? log_sum[part] : Tile::wide(tile.largest, part) + log_sum[part]).value();
      const Vector<T> of_rows = Tile::narrow(rounded);
      if (to) {
        tile.write_logarithms(of_rows, to, is_elsewhere);
        continue;
      }
      for (int row = 0; row < rows; ++row)
        if (!is_elsewhere[row]) out[i + row] = of_rows[row];
    }
  }

  static void loss(const Loss& r, int64_t begin, int64_t end, double* memory) {
    const int tile_rows = Tile::rows_at_a_time(r.classes);
    for (int64_t i = begin; i < end; i += tile_rows)
      loss_of_tile(r, i, int(end - i < tile_rows ? end - i : tile_rows), ahead(i, end, tile_rows, r.classes), memory);
  }

 private:
  // How far ahead the next tile is, to be fetched while one is in work.
  static int64_t ahead(int64_t i, int64_t end, int tile_rows, int64_t classes) {
    return i + 2 * tile_rows <= end ? tile_rows * classes : 0;
  }
  static void loss_of_tile(const Loss& r, int64_t first, int rows, int64_t next, double* memory) {
    const int64_t classes = r.classes;
    const T* scores = static_cast<const T*>(r.scores) + first * classes;
    T* gradient = r.gradient ? static_cast<T*>(r.gradient) + first * classes : nullptr;
    Tile tile(scores, gradient, gradient, rows, classes, reinterpret_cast<T*>(memory), Tile::begin(scores, rows, classes));
    bool is_elsewhere[n] = {};
    const auto is_finite = tile.is_finite();
    alignas(64) double target[n] = {}, weight[n] = {}, own_score[n] = {}, own_weight[n] = {};
    int64_t label[n] = {};
    const double even = r.label_smoothing / double(classes);
    const int64_t* labels = r.labels + first;
    for (int row = 0; row < rows; ++row) {
      const int64_t own = labels[row];
      const bool is_label = own >= 0 && own < classes;
      is_elsewhere[row] = !is_finite[row] | !is_label | (own == r.ignore_index) | (r.row_weight && r.row_weight[first + row] == 0.0);
      label[row] = is_elsewhere[row] ? 0 : own;
      target[row] = 1.0 - r.label_smoothing + even;
      weight[row] = 1.0;
      own_score[row] = tile.score(row, label[row]);
    }
    for (int row = 0; r.class_weight && row < rows; ++row) target[row] = r.class_weight[label[row]];
    for (int row = 0; r.row_weight && row < rows; ++row) weight[row] = r.row_weight[first + row];
    for (int row = 0; row < rows; ++row)
      if (is_elsewhere[row]) Blocks<T, Rows>::loss(r, first + row, first + row + 1, memory + Tile::memory_size(classes));
    // Before the weights may overwrite the scores.
    D distance[parts] = {};
    for (int part = 0; even != 0.0 && part < parts; ++part) distance[part] = tile.distance(part);
    tile.weigh(is_elsewhere, next);
    for (int row = 0; gradient && row < rows; ++row) own_weight[row] = tile.weight(row, label[row]);
    W log_sum[parts], factor[parts];
    tile.logarithms(log_sum);
    alignas(64) double losses[n], own[n];
    for (int part = 0; part < parts; ++part) {
      const D y = load(target + part * lanes), w = load(weight + part * lanes), log_total = log_sum[part].value();
      const D largest = Tile::wide(tile.largest, part).hi, total = y - even + r.label_smoothing;
      D loss = (log_sum[part] * W(total)).value() + (y - even) * (largest - load(own_score + part * lanes)), pull{};
      if (even != 0.0) loss += even * distance[part];
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
      const W rest = choose(p == Tile::wide(tile.kept, part).hi, tile.others[part], tile.total[part] - W(p));
      store(own + part * lanes, ((total - y + pull) * (p * inverse.hi) - y * (rest * inverse).value()) * scale);
      factor[part] = inverse * W(scale * (total + pull));
    }
    for (int row = 0; row < rows; ++row)
      if (!is_elsewhere[row]) r.losses[first + row] = losses[row];
    if (!gradient) return;
    alignas(64) double shares[n];
    for (int row = 0; row < n; ++row) shares[row] = weight[row] * r.gradient_scale * even;
    tile.multiply(factor, even != 0.0 ? shares : nullptr, is_elsewhere);
    for (int row = 0; row < rows; ++row)
      if (!is_elsewhere[row]) tile.set(row, label[row], own[row]);
    tile.write(gradient, is_elsewhere);
  }
};
