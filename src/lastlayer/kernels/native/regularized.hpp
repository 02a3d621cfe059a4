// The regularized family, p = argmax over the simplex of <p, x> - Omega(p): what all of its mappings share.
// Included by rows.hpp.

template <class W>
class Regularized {
 public:
  static constexpr bool has_weights_in_sum = false, reads_in_place = false;

  Regularized(const Layout& at, double* x, double* p) : at_(at), x_(x), p_(p) { find_edges(); }

  D poison() const { return poison_; }

  void probabilities(double* out) const {
    for (int64_t step = 0; step < at_.steps; ++step) store(out + step * lanes, load(p_ + step * lanes) + poison_);
  }

  void log_probabilities(double* out) const {
    for (int64_t step = 0; step < at_.steps; ++step) {
      const D p = load(p_ + step * lanes);
      const D confident = log1p(W(-complement(p))).value(), plain = logarithm(W(p)).value();
      store(out + step * lanes, ((p == best_) & (p > 0.5) ? confident : plain) + poison_);
    }
  }

 protected:
  // Rows with a NaN, or without any score above -inf, are poisoned. Scores of +inf share the row equally.
  void find_edges() {
    D zero{}, largest = all(-infinity);
    for (int64_t step = 0; step < at_.steps; ++step) {
      const D x = load(x_ + step * lanes);
      zero = fma(x, D{}, zero);
      largest = larger(x, largest);
    }
    largest_ = at_.largest(largest);
    if (has_any(zero != 0.0)) {
      Mask is_nan{};
      for (int64_t step = 0; step < at_.steps; ++step) {
        const D x = load(x_ + step * lanes);
        is_nan |= x != x;
        const D shared = x == infinity ? D{} : all(-infinity);
        store(x_ + step * lanes, largest_ == infinity ? shared : x);
      }
      is_nan_ = at_.any(is_nan);
      poison_ = is_nan_ | (largest_ == -infinity) ? all(not_a_number) : D{};
      is_dominated_ = largest_ == infinity;
      largest_ = is_dominated_ ? D{} : largest_;
    }
    // Lanes beyond the classes have nothing.
    if (at_.steps > 0 && at_.is_partial(at_.steps - 1)) {
      double* last = x_ + (at_.steps - 1) * lanes;
      store(last, at_.only_classes(at_.steps - 1, load(last), all(-infinity)));
    }
  }

  // x - max, where -inf stays what it is.
  W difference(int64_t step) const {
    const D x = load(x_ + step * lanes);
    const W d = W::sum(x, -largest_);
    return choose(x > -infinity, d, W(x));
  }

  // Keeps the largest p apart from the sum of the others.
  void add_to_complement(D p) {
    const Mask is_better = p > best_;
    others_ = others_ + W(is_better ? best_ : p);
    best_ = is_better ? p : best_;
  }
  void finish_complement() {
    if (!at_.is_across) {
      using Two = Layout::Two<W>;
      const auto join = [](Two a, Two b) {
        a.second = a.second + b.second;
        take_in(b.first, a.first, a.second);
        return a;
      };
      const Two folded = Layout::joined(Two{W(best_), others_}, join);
      best_ = folded.first.hi;
      others_ = folded.second;
    }
    rest_ = others_.value();
  }
  // 1 - p, for the largest class as the sum of the others: it must not vanish while any other has mass.
  D complement(D p) const { return p == best_ ? rest_ : 1.0 - p; }

  // p - y with y's own entry made of the others.
  D gap(D p, D y, D total) const { return p * (total - y) - y * complement(p); }

  const Layout& at_;
  double *x_, *p_;
  D poison_{}, largest_{}, best_{}, rest_{};
  Mask is_dominated_{}, is_nan_{};
  W others_ = W(D{});
};
