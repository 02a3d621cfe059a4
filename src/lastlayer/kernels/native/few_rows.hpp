// Softmax of few classes in its own precision: a row in each lane, so that short rows fill whole vectors. What these passes
// are not made for goes to the blocks that every mapping has. Included by rows.hpp.

// What a tile knows of each row in wide arithmetic: float32 rows in two vectors of doubles, float64 rows in one pair.
template <class T>
struct RowNumbers;
template <>
struct RowNumbers<float> {
  using W = Real;
  static constexpr int parts = 2;
  static Real widen_part(Vector<float> v, Vector<float>, int part) {
    return Real(widened(part ? high_half(v) : low_half(v)));
  }
  static Vector<float> narrow(const D* parts) { return joined(narrowed(parts[0]), narrowed(parts[1])); }
};
template <>
struct RowNumbers<double> {
  using W = Twofold;
  static constexpr int parts = 1;
  static Twofold widen_part(D v, D low, int) { return {v, low}; }
  static D narrow(const D* parts) { return parts[0]; }
};

template <class T>
class FewRows : RowNumbers<T> {
  using N = RowNumbers<T>;
  using V = Vector<T>;
  using R = Reduction<T>;

 public:
  using W = typename N::W;
  using N::parts;
  static constexpr int n = Lanes<T>::count;
  V largest;
  W top[parts], total[parts], others[parts];  // as for LongRow, of every row
  V kept;      // the largest score's weight as it stands among the weights
  T *x, *weights;  // class by class

  // Reads `rows` rows, those that are not there as the first one; fetches the tile that comes next, and where results go.
  FewRows(const T* scores, int rows, int64_t classes, T* memory, const T* next, const T* out) : x(memory), weights(memory + classes * n), classes_(classes) {
    read(scores, rows);
    weigh(next, out);
  }

  // Rows that these passes can do: no NaN, no +inf, and not -inf alone.
  typename Lanes<T>::Integers is_usual() const {
    D sums[parts];
    for (int i = 0; i < parts; ++i) sums[i] = total[i].hi;
    const V sum = N::narrow(sums);
    return (sum == sum) & (largest < T(infinity)) & (largest > -T(infinity));
  }

  // log(total / top).
  void logarithms(W* log_sum) {
    separate();
    for (int i = 0; i < parts; ++i) log_sum[i] = log1p(others[i] / top[i]);
  }

  // Per row, of one part: the sum of max - x.
  D distance(int part) const {
    D sum{};
    const D top_score = wide(largest, part).hi;
    for (int64_t j = 0; j < classes_; ++j) sum += top_score - wide(load(x + j * n), part).hi;
    return sum;
  }

  // Weights times a factor of the row, minus each row's even share where there are shares.
  void multiply(const W* factor, const double* shares) {
    D rounded[parts], rest[parts];
    for (int i = 0; i < parts; ++i) rounded[i] = factor[i].hi;
    const V hi = N::narrow(rounded);
    bool is_wide = sizeof(T) == 4 && shares;
    for (int i = 0; i < parts; ++i) {
      rest[i] = (factor[i] - N::widen_part(hi, V{}, i)).value();
      // In double also where the low part would be lost below the smallest float.
      is_wide |= sizeof(T) == 4 && has_any(absolute(factor[i].hi) < 0x1p-100);
    }
    const V lo = N::narrow(rest);
    for (int64_t j = 0; j < classes_; ++j) {
      const V w = load(weights + j * n);
      V p = times_each(w, hi, lo);
      if constexpr (sizeof(T) == 4) {
        if (is_wide) {
          D exact[parts];
          for (int i = 0; i < parts; ++i) exact[i] = wide(w, i).hi * factor[i].hi - (shares ? load(shares + i * lanes) : D{});
          p = N::narrow(exact);
        }
      } else {
        p = shares ? p - load(shares) : p;
      }
      store<T>(weights + j * n, p);
    }
  }

  // The rows of `values`, which stand class by class, but those that `skip` names.
  void write(const T* values, T* out, int rows, const bool* skip) const {
#if defined(__AVX512F__)
    if (classes_ <= sparse) {
      typename Lanes<T>::Integers mask{};
      for (int i = 0; i < rows; ++i) mask[i] = skip[i] ? 0 : -1;
      for (int64_t j = 0; j < classes_; ++j) scatter(out + j, load(values + j * n), classes_, mask);
      return;
    }
#endif
    V square[n];
    for (int64_t from = 0; from < classes_; from += n) {
      const int64_t left = classes_ - from;
      for (int i = 0; i < n; ++i) square[i] = i < left ? load(values + (from + i) * n) : V{};
      transpose(square);
      for (int i = 0; i < rows; ++i)
        if (!skip[i]) store_some(out + i * classes_ + from, square[i], left < n ? int(left) : n);
    }
  }

  W wide(V v, int part) const { return N::widen_part(v, V{}, part); }
  V narrow(const D* values) const { return N::narrow(values); }

 private:
  // Up to so many classes a vector is gathered and scattered sooner than a square is turned.
  static constexpr int64_t sparse = sizeof(T) == 4 ? 4 : 2;

  void read(const T* scores, int rows) {
#if defined(__AVX512F__)
    if (classes_ <= sparse && rows == n) {
      for (int64_t j = 0; j < classes_; ++j) store<T>(x + j * n, gather(scores + j, classes_));
      return;
    }
#endif
    V square[n];
    for (int64_t from = 0; from < classes_; from += n) {
      const int64_t left = classes_ - from;
      for (int i = 0; i < n; ++i) {
        const T* row = scores + (i < rows ? i : 0) * classes_ + from;
        square[i] = left >= n ? load(row) : load_some(row, int(left), T(0));
      }
      transpose(square);
      for (int64_t j = 0; j < left && j < n; ++j) store<T>(x + (from + j) * n, square[j]);
    }
  }

  void weigh(const T* next, const T* out) {
    largest = load(x);
    for (int64_t j = 1; j < classes_; ++j) largest = larger(load(x + j * n), largest);
    const RowExponents<T, V> exponents(largest);
    Sum<T> sum;
    for (int64_t j = 0; j < classes_; ++j) {
      __builtin_prefetch(next + j * n);
      __builtin_prefetch(out + j * n, 1);
      const Weights<T> w = lastlayer::LASTLAYER_ISA::weights<true>(load(x + j * n), exponents);
      store<T>(weights + j * n, w.hi);
      sum.add(w.hi, w.lo);
    }
    const Weights<T> own = lastlayer::LASTLAYER_ISA::weights<true>(largest, exponents);
    kept = own.hi;
    for (int i = 0; i < parts; ++i) {
      const W summed = N::widen_part(own.hi, own.lo, i);
      top[i] = exact(summed, exponents, i);
      others[i] = sum.lanes_of(i) - summed;
      total[i] = top[i] + others[i];
    }
  }

  // e^(x - K ln 2) of the largest score, to more than the precision of T.
  Twofold exact(Twofold kept, const RowExponents<T, V>&, int) const { return kept; }
  Real exact(Real, const RowExponents<T, V>& e, int i) const {
    const D rest = wide(largest - e.offset, i).hi - wide(e.power, i).hi * 0.6931471805599453;
    return exponential<R::lift>(Real(rest));
  }

  // The others anew where their digits are gone from the difference.
  void separate() {
    Mask is_confident{};
    for (int i = 0; i < parts; ++i) is_confident |= others[i].hi < R::confident * total[i].hi;
    if (!has_any(is_confident)) return;
    Sum<T> sum;
    V best{};
    for (int64_t j = 0; j < classes_; ++j) {
      const V w = load(weights + j * n);
      sum.add(w < best ? w : best, V{});
      best = larger(w, best);
    }
    for (int i = 0; i < parts; ++i) {
      const Mask mask = others[i].hi < R::confident * total[i].hi;
      others[i] = choose(mask, sum.lanes_of(i), others[i]);
      total[i] = top[i] + others[i];
    }
  }

  static V times_each(V w, V hi, V lo) {
#if defined(__FMA__)
    return fma(w, hi, w * lo);
#else
    // Without fma the two products round twice.
    if constexpr (sizeof(T) == 8) {
      const Twofold p = product(w, hi);
      return p.hi + (p.lo + w * lo);
    } else {
      for (int i = 0; i < n; ++i) w[i] = T(double(w[i]) * (double(hi[i]) + double(lo[i])));
      return w;
    }
#endif
  }

  int64_t classes_;
};
