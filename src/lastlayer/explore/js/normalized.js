// The family p = g(x) / Σ g(x), evaluated to within a few roundings, as lastlayer.mappings.normalized does it.
"use strict"; {
  const { twoSum, twoProduct, add, divide, value, sum, powerOf2, scaleOf, largest, firstLargest } = LL.exact;

  // Put the limits of g at infinite scores in place; classes with an infinite g share the row equally, and are why it is true.
  const atInfinity = (carried, x, [low, high], [slopeLow, slopeHigh]) => {
    const infinite = x.map(v => !Number.isFinite(v));
    if (!infinite.includes(true)) return false;
    const limit = x.map((v, i) => (infinite[i] ? (v > 0 ? high : low) : null)), dominated = limit.includes(Infinity);
    const { mantissa, exponent, derivative, slope, bits = 0 } = carried;
    const place = (i, most, other, own) => (dominated ? (limit[i] === Infinity ? most : other) : infinite[i] ? own : null);
    if (mantissa) {
      carried.mantissa = mantissa.map((m, i) => {
        const put = place(i, 1, 0, Number.isFinite(limit[i]) ? limit[i] * powerOf2(bits) : 0);
        return put === null ? m : [put, 0];
      });
    }
    if (exponent) carried.exponent = exponent.map((e, i) => place(i, 0, -Infinity, limit[i] === 0 ? -Infinity : e) ?? e);
    if (derivative) carried.derivative = () => derivative().map((d, i) => (dominated || infinite[i] ? [0, 0] : d));
    if (slope) carried.slope = () => slope().map((s, i) => (infinite[i] ? (x[i] > 0 ? slopeHigh : slopeLow) : s));
    return dominated;
  };

  const LN2 = [0.6931471803691238, 1.9082149292705877e-10];

  // log of a pair over 2^bits, from a mantissa near one and a power of two, so that nothing cancels.
  const logOf = (pair, bits) => {
    let [scale, k] = scaleOf(pair[0]);
    if (pair[0] * scale > Math.SQRT2) [scale, k] = [scale / 2, k - 1];
    const rest = twoSum(pair[0] * scale - 1, pair[1] * scale), log = Math.log1p(rest[0]);
    const part = twoSum(-(k + bits) * LN2[0], log);
    return [part[0], Number.isFinite(log) ? part[1] + rest[1] / (1 + rest[0]) - (k + bits) * LN2[1] : 0];
  };

  // x − max of the exponents with its rounding error, which would become a relative error of e^(x − max).
  const shifted = (exponents, top) => exponents.map(e => {
    const [hi, lo] = twoSum(e, -top);
    return [hi, Number.isFinite(hi) ? lo : 0];
  });

  // A normalized mapping at scores x.
  class Point {
    constructor(x, carried, spare, dominated) {
      Object.assign(this, { x, carried, dominated });
      const { mantissa, exponent } = carried;
      this.top = exponent ? Math.max(largest(exponent), spare ? 0 : -Infinity) : 0;
      this.shifted = exponent ? shifted(exponent, this.top) : x.map(() => [0, 0]);
      this.power = this.shifted.map(s => Math.exp(s[0]));
      this.terms = (mantissa ?? x.map(() => [1, 0])).map((m, i) => this.weighed(m, i));
      this.add(spare && !dominated ? Math.exp(-this.top) : 0);
      this.p = this.terms.map(t => value(divide(t, this.sum)));
    }

    // A pair times e^(x − max).
    weighed(pair, i) {
      const product = twoProduct(pair[0], this.power[i]);
      return [product[0], product[1] + pair[1] * this.power[i] + product[0] * this.shifted[i][1]];
    }

    // The largest term is kept apart from the others: for a confident class 1 − p and log p depend on the others alone.
    add(spareTerm) {
      const spareLeads = spareTerm >= 1;
      this.leader = spareLeads ? -1 : firstLargest(this.terms.map(t => t[0]));
      this.most = spareLeads ? [1, 0] : this.terms[this.leader] ?? [NaN, NaN];
      const others = sum(this.terms.filter((_, i) => i !== this.leader));
      this.others = spareLeads ? others : add(others, [spareTerm, 0]);
      this.sum = add(this.most, this.others);
    }

    // log of the sum over its largest term.
    logOverMost() {
      const ratio = divide(this.others, this.most);
      return [Math.log1p(ratio[0]), ratio[1] / (1 + ratio[0])];
    }

    // log Σ g.
    logPartition() {
      if (this.dominated) return Infinity;
      if (this.top === -Infinity) return -Infinity;
      const { mantissa, bits = 0 } = this.carried;
      const log = mantissa ? logOf(this.sum, bits) : this.logOverMost(), found = twoSum(this.top, log[0]);
      return Number.isFinite(found[0]) ? found[0] + (found[1] + log[1]) : found[0];
    }

    logOf(i) {
      const { mantissa, logG } = this.carried, log = this.logOverMost();
      if (i === this.leader) return -(log[0] + log[1]);
      const quotient = mantissa ? divide(mantissa[i], this.sum) : null;
      // The quotient may underflow while its logarithm is an ordinary number.
      if (quotient && logG && quotient[0] < 2 ** -962 && Number.isFinite(this.x[i])) return logG()[i] - this.logPartition();
      const found = twoSum(this.shifted[i][0], quotient ? Math.log(quotient[0]) : -log[0]);
      const low = quotient ? quotient[1] / (quotient[0] > 0 ? quotient[0] : 1) : -log[1];
      return Number.isFinite(found[0]) ? found[0] + (found[1] + low + this.shifted[i][1]) : found[0];
    }

    loss(label) {
      return -this.logOf(label);
    }

    // 1 − p, with its digits when p rounds to one.
    complement(i) {
      if (i === this.leader) return value(divide(this.others, this.sum));
      const rest = twoSum(this.sum[0], -this.terms[i][0]);
      return value(divide([rest[0], rest[1] + this.sum[1] - this.terms[i][1]], this.sum));
    }

    // g′ / Σ g.
    partitionGradient() {
      const { derivative } = this.carried;
      if (!derivative) return this.p;
      return derivative().map((d, i) => {
        // Of tiny scores the scaled g′ is near the largest float, where the exact product would overflow.
        const room = Math.abs(d[0]) > 2 ** 512 ? 2 ** -204 : 1;
        return value(divide(this.weighed(d.map(part => part * room), i), this.sum)) / room;
      });
    }

    // Of the loss of a true class: g′ / Σ g elsewhere, and −(g′/g)·(1 − p) at the class.
    gradient(label) {
      const gradient = [...this.partitionGradient()], rest = this.complement(label), slope = this.carried.slope?.()[label] ?? 1;
      gradient[label] = rest === 0 && !Number.isFinite(slope) ? 0 : -rest * slope;
      return gradient;
    }
  }

  // carry(x, parameters) gives g at finite scores; limits and slopes are those of g and g′/g at −∞ and +∞.
  LL.normalized = ({ carry, limits, slopes = [0, 0], spare = false }) => (x, parameters) => {
    const carried = carry(x.map(v => (Number.isFinite(v) ? v : 0)), parameters);
    return new Point(x, carried, spare, atInfinity(carried, x, limits, slopes));
  };
}
