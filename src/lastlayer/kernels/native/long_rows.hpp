// Softmax of rows with many classes: one at a time, which comes from memory in the first pass and is in cache after it.
// Included by rows.hpp.

// Beyond so many classes a row takes so long that memory would stand still in between.
constexpr int64_t long_row = 8192;
// Beyond so many classes two rows are more than the second cache holds, and of a row of which only the sum is asked, so many scores
// at a time go through both passes.
constexpr int64_t longest_whole_row = 65536, row_part = 8192;

// What is known of a row after its first two passes. Weights are in units of 2^(K - lift).
template <class T>
struct LongRow {
  using R = Reduction<T>;
  T largest;
  RowExponents<T, T> exponents;
  Pair kept{}, top{};      // the weight of the largest score: as it stands among the weights, and to more than their precision
  Pair total{}, others{};  // of all classes, and of all but the largest
  double log_sum = 0.0;    // log(total / top)

  explicit LongRow(T largest) : largest(largest), exponents(largest) {}
  static T largest_of(const T* x, int64_t classes) {
    return fold(largest_lanes(x, classes), [](Vector<T> a, Vector<T> b) { return larger(a, b); })[0];
  }

  // The largest score and `log_sum` of a long row, every part of it in units of its own largest score: none where that cannot be,
  // in a part of -inf alone, or of scores so large that their differences are taken first.
  static bool sum_by_parts(const T* x, int64_t classes, LongRow& row) {
    LongRow best(T(0));
    double rest = 0.0;  // of all other parts, in units of the best one's
    const T* best_scores = nullptr;
    int64_t best_count = 0;
    for (int64_t from = 0, count = 0; from < classes; from += count) {
      // The last part has what would be less than one.
      count = classes - from < 2 * row_part ? classes - from : row_part;
      LongRow part(largest_of(x + from, count));
      if (!part.is_finite() || part.exponents.offset != T(0)) return false;
      part.weigh_for_total(x + from, nullptr, count, Fetch<T>{4 * row_part, nullptr, true}, [](int64_t) {});
      const double powers = double(part.exponents.power) - double(best.exponents.power);
      if (!best_scores || part.largest > best.largest) {
        rest = best_scores ? __builtin_scalbn(rest + best.total.hi, -int(powers)) : 0.0;
        best = part;
        best_scores = x + from;
        best_count = count;
      } else {
        rest += __builtin_scalbn(part.total.hi, int(powers));
      }
    }
    if (best.others.hi + rest < R::confident(best_count, 0) * best.total.hi)
      best.others = sum_others<T>(best_scores, nullptr, best_count, T(best.kept.hi), best.exponents);
    row.largest = best.largest;
    row.log_sum = log1p((best.others.hi + rest) / best.top.hi);
    return true;
  }

  // Neither is a row for these passes: one with +inf, and one of -inf alone (or of nothing but NaN).
  bool is_finite() const { return largest < T(infinity) && largest > -T(infinity); }

  // The weights into `out`, where it is given, and their sum. Calls between(classes done) now and then.
  template <class Between>
  LASTLAYER_INLINE void weigh(const T* x, T* out, int64_t classes, Fetch<T> fetch, Between between) {
    if (classes <= long_row) return weigh_for_total(x, out, classes, fetch, between);
    set_top();
    set(weigh_parts(x, out, classes, fetch, between));
  }
  // The same for probabilities, which need no others; those of a long row would have lost digits.
  template <class Between>
  LASTLAYER_INLINE void weigh_for_total(const T* x, T* out, int64_t classes, Fetch<T> fetch, Between between) {
    set_top();
    auto lanes_sum = WeightSum<T>().lanes_sum();
    over_parts(classes, [&](int64_t from, int64_t count) {
      WeightSum<T> sum;
      weigh_row(x + from, out ? out + from : nullptr, count, exponents, fetch.from(from), sum);
      lanes_sum = lanes_sum + sum.lanes_sum();
      between(from + count);
    });
    set(sum_of(lanes_sum));
  }
  // One over the total.
  Pair inverse() const {
    const double hi = 1.0 / total.hi;
    if (sizeof(T) == 4) return {hi, 0.0};
    return {hi, (__builtin_fma(-hi, total.hi, 1.0) - hi * total.lo) * hi};
  }

  // The others where their digits are gone from the difference, and the logarithm. `kept_weights`, or null.
  void separate(const T* x, const T* kept_weights, int64_t classes) {
    // Long rows are summed in double, others by parts, which do not lose in one direction.
    if (others.hi < R::confident(classes > long_row ? 0 : classes, 0) * total.hi) {
      others = sum_others(x, kept_weights, classes, T(kept.hi), exponents);
      total = top + others;
    }
    log_sum = log1p(others.value() / top.hi);
  }

 private:
  // Apart: a sum that parts add to cannot stay in registers.
  template <class Between>
  __attribute__((noinline)) Pair weigh_parts(const T* x, T* out, int64_t classes, Fetch<T> fetch, Between between) const {
    std::conditional_t<sizeof(T) == 4, Sum<T>, WeightSum<T>> sum;
    over_parts(classes, [&](int64_t from, int64_t count) {
      weigh_row(x + from, out ? out + from : nullptr, count, exponents, fetch.from(from), sum);
      between(from + count);
    });
    return sum.total();
  }
  template <class Work>
  static void over_parts(int64_t classes, Work work) {
    // What float32 sums lose grows with their length.
    constexpr int64_t part = (sizeof(T) == 4 ? 32 : 1024) * Lanes<T>::count;
    for (int64_t from = 0; from < classes; from += part) work(from, classes - from < part ? classes - from : part);
  }
  // Of the largest score alone; before the others, whose sum takes longer.
  void set_top() {
    const Weights<T> w = weights<true>(splat(largest), exponents);
    kept = {double(w.hi[0]), double(w.lo[0])};
    // e^(x - K ln 2) of the score itself.
    const double rest = (double(largest) - double(exponents.offset)) - double(exponents.power) * 0.6931471805599453;
    if constexpr (sizeof(T) == 8)
      top = kept;
    else
      top = {exponential<R::lift>(Real(all(rest))).hi[0], 0.0};
  }
  void set(Pair sum) {
    if constexpr (sizeof(T) == 8) {
      others = sum + Pair{-kept.hi, -kept.lo};
      total = sum;
    } else {
      // With the exact weight: the rounding of the largest would be in every other class's share.
      others = {sum.hi - kept.hi, 0.0};
      total = {top.hi + others.hi, 0.0};
    }
  }
};
