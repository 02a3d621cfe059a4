// Omega = 0: all mass on the largest score; ties share equally. Included by rows.hpp.

template <class W>
class Hardmax : public Regularized<W> {
  using Base = Regularized<W>;

 public:
  Hardmax(const Layout& at, double* x, double* p, double*, const MappingAt&, int64_t) : Base(at, x, p) {
    D count{};
    for (int64_t step = 0; step < at.steps; ++step)
      count += load(x + step * lanes) == this->largest_ ? all(1.0) : D{};
    const D share = 1.0 / at.sum(count);
    for (int64_t step = 0; step < at.steps; ++step) {
      const D own = load(x + step * lanes) == this->largest_ ? share : D{};
      store(p + step * lanes, own);
      this->add_to_complement(own);
    }
    this->finish_complement();
  }

  // Of a row of -inf too, which has no probabilities.
  D log_partition() const {
    return this->is_nan_ ? all(not_a_number) : this->is_dominated_ ? all(infinity) : this->largest_;
  }

  // sum y (max - x): the perceptron loss. The gradient goes where p stands.
  D loss(const Targets& targets, bool with_gradient, double scale) {
    const Layout& at = this->at_;
    W sum(D{});
    D beyond{};
    const D total = targets.total(), factor = targets.factor();
    for (int64_t step = targets.begin(); step < targets.end(); ++step) {
      const D y = targets(step);
      const W d = this->difference(step);
      const Mask is_finite = d.hi > -infinity;
      sum = sum + choose((y != 0.0) & is_finite, -d * W(y), W(D{}));
      beyond += (y != 0.0) & ~is_finite ? all(infinity) : D{};
    }
    D loss = factor * (at.sum(sum).value() + at.sum(beyond));
    D pull{};
    if (targets.request.z_loss != 0.0) {
      const D z = log_partition();
      loss += targets.row_weight * (targets.request.z_loss * z * z);
      pull = targets.row_weight * (2.0 * targets.request.z_loss * z);
    }
    if (with_gradient)
      for (int64_t step = 0; step < at.steps; ++step) {
        const D p = load(this->p_ + step * lanes), y = targets(step);
        store(this->p_ + step * lanes, (factor * this->gap(p, y, total) + pull * p) * scale + this->poison_);
      }
    return loss + this->poison_;
  }
};
