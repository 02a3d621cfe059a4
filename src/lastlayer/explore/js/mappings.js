// The normalized mappings p = g(x) / Σ g(x), as in lastlayer.mappings: each gives its g as mantissa · e^exponent / 2^bits.
"use strict"; {
  const { twoSum, add, multiply, divide, value, powerOf2, scaleOf, twoProduct, largest } = LL.exact;
  const zeros = x => x.map(() => 0);

  const exponential = x => ({ exponent: x });

  // g = x times a power of two, so that no sum overflows and no row of small scores is subnormal.
  const identity = x => {
    const [scale, bits] = scaleOf(largest(x));
    return {
      mantissa: x.map(v => [v * scale, 0]),
      derivative: () => x.map(() => [scale, 0]),
      slope: () => x.map(v => 1 / Math.abs(v)),
      bits,
      logG: () => x.map(Math.log),
    };
  };

  const square = x => {
    const [scale, bits] = scaleOf(largest(x.map(Math.abs)));
    return {
      mantissa: x.map(v => twoProduct(v * scale, v * scale)),
      derivative: () => x.map(v => [2 * (v * scale) * scale, 0]),
      slope: () => x.map(v => 2 / v),
      bits: 2 * bits,
      logG: () => x.map(v => 2 * Math.log(Math.abs(v))),
    };
  };

  const factorial = n => (n < 2 ? 1 : n * factorial(n - 1));

  // Σ_{j ≤ degree} (order!/j!) y^j s^(degree − j) by Horner's rule: near −1 the terms nearly cancel.
  const polynomial = (y, scale, order, degree) => {
    let sum = [factorial(order) / factorial(degree), 0], weight = scale;
    for (let j = degree - 1; j >= 0; j--) {
      sum = add(multiply(sum, [y, 0]), [weight * (factorial(order) / factorial(j)), 0]);
      weight *= scale;
    }
    return sum;
  };

  // The Taylor polynomial of e^x, scaled so that the largest |x| is about one.
  const taylor = (x, { order }) => {
    const [scale, k] = scaleOf(Math.max(1, largest(x.map(Math.abs))));
    const lift = k < -20 ? Math.floor(Math.log2(factorial(order))) : 0;
    const lifted = pair => divide([pair[0] * powerOf2(lift), pair[1] * powerOf2(lift)], [factorial(order), 0]);
    const own = v => [v * scaleOf(Math.max(1, Math.abs(v)))[0], scaleOf(Math.max(1, Math.abs(v)))[0]];
    return {
      mantissa: x.map(v => lifted(polynomial(v * scale, scale, order, order))),
      derivative: () => x.map(v => lifted(polynomial(v * scale, scale, order, order - 1)).map(part => part * scale)),
      slope: () => x.map(v => {
        const [z, s] = own(v);
        return value(divide(polynomial(z, s, order, order - 1), polynomial(z, s, order, order))) * s;
      }),
      bits: order * k + lift,
      logG: () => x.map(v => {
        const [z, s] = own(v);
        return Math.log(polynomial(z, s, order, order)[0]) - order * Math.log(s) - Math.log(factorial(order));
      }),
    };
  };

  // log(1 + e^x) = e^min(x, 0) · r.
  const softplus = x => {
    const tail = x.map(v => Math.exp(-Math.abs(v)));
    const tiny = 2 ** -60;
    const raw = x.map((v, i) => {
      const log = [Math.log1p(tail[i]), 0];
      return v >= 0 ? add([v, 0], log) : tail[i] < tiny ? [1, 0] : divide(log, [tail[i], 0]);
    });
    const [scale, bits] = scaleOf(largest(raw.map(r => r[0])));
    const sigmoidPart = i => divide([1, 0], twoSum(1, tail[i]));
    const room = 2 ** -100;
    return {
      mantissa: raw.map(r => r.map(part => part * scale)),
      exponent: x.map(v => Math.min(v, 0)),
      derivative: () => x.map((_, i) => sigmoidPart(i).map(part => part * scale)),
      slope: () => x.map((_, i) => value(divide(sigmoidPart(i), raw[i].map(part => part * room))) * room),
      bits,
      logG: () => x.map((v, i) => Math.min(v, 0) + Math.log(raw[i][0])),
    };
  };

  // 1/(1 + e^(−x)) = e^min(x, 0) / (1 + e^(−|x|)).
  const sigmoid = x => {
    const tail = x.map(v => Math.exp(-Math.abs(v)));
    const mantissa = tail.map(t => divide([1, 0], twoSum(1, t)));
    const falling = () => x.map((v, i) => (v < 0 ? mantissa[i] : multiply([tail[i], 0], mantissa[i])));
    return {
      mantissa,
      exponent: x.map(v => Math.min(v, 0)),
      derivative: () => falling().map((f, i) => multiply(mantissa[i], f)),
      slope: () => falling().map(value),
    };
  };

  // 1 + x above zero, 1/(1 − x) below.
  const linearOrReciprocal = x => {
    const top = largest(x);
    let [scale, bits] = scaleOf(top < 0 ? 1 - top : top + 1);
    if (top < 0) [scale, bits] = [1 / scale, -bits];
    const room = 2 ** -30;
    const roomy = v => twoSum(1, Math.abs(v)).map(part => part * room);
    const mantissa = x.map(v => (v < 0
      ? divide([scale, 0], roomy(v)).map(part => part * room)
      : twoSum(1, v).map(part => part * scale)));
    const steepness = v => divide([1, 0], roomy(v)).map(part => part * room);
    return {
      mantissa,
      derivative: () => x.map((v, i) => (v < 0 ? multiply(mantissa[i], steepness(v)) : [scale, 0])),
      slope: () => x.map(v => value(steepness(v))),
      bits,
      logG: () => x.map(v => (v < 0 ? -Math.log(1 - v) : Math.log(1 + v))),
    };
  };

  // Put the limits of g at infinite scores in place; classes with an infinite g share the row equally.
  const atInfinity = (carried, x, [low, high], [slopeLow, slopeHigh]) => {
    const infinite = x.map(v => !Number.isFinite(v));
    if (!infinite.includes(true)) return false;
    const limit = x.map((v, i) => (infinite[i] ? (v > 0 ? high : low) : null));
    const dominated = limit.includes(Infinity);
    const { mantissa, exponent, derivative, slope, bits = 0 } = carried;
    const place = (i, dominant, other, finite) => (dominated ? (limit[i] === Infinity ? dominant : other) : infinite[i] ? finite : null);
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

  // A normalized mapping at scores x: probabilities, log-probabilities, loss and gradient of a true class.
  const normalized = ({ carry, limits, slopes = [0, 0], spare = false }) => (x, parameters) => {
    const carried = carry(x.map(v => (Number.isFinite(v) ? v : 0)), parameters);
    const dominated = atInfinity(carried, x, limits, slopes);
    const { mantissa, exponent, derivative, slope, bits = 0, logG } = carried;
    const top = exponent ? Math.max(largest(exponent), spare ? 0 : -Infinity) : 0;
    // The rounding error of x − max would become a relative error of e^(x − max): it is kept.
    const shifted = exponent ? exponent.map(e => twoSum(e, -top)).map(([hi, lo]) => [hi, Number.isFinite(hi) ? lo : 0]) : x.map(() => [0, 0]);
    const power = shifted.map(s => Math.exp(s[0]));
    const weigh = (m, i) => {
      const product = twoProduct(m[0], power[i]);
      return [product[0], product[1] + m[1] * power[i] + product[0] * shifted[i][1]];
    };
    const terms = exponent ? (mantissa ? mantissa.map(weigh) : power.map((e, i) => [e, e * shifted[i][1]])) : mantissa;
    const spareTerm = spare && !dominated ? Math.exp(-top) : 0, spareLeads = spareTerm >= 1;
    // The largest term is kept apart from the others: for a confident class 1 − p and log p depend on the others alone.
    const leader = spareLeads ? -1 : LL.exact.firstLargest(terms.map(t => t[0]));
    const most = spareLeads ? [1, 0] : terms[leader] ?? [NaN, NaN];
    let others = LL.exact.sum(terms.filter((_, i) => i !== leader));
    if (spare && !spareLeads) others = add(others, [spareTerm, 0]);
    const sum = add(most, others);
    const p = terms.map(t => value(divide(t, sum)));

    const logOverMost = () => {
      const ratio = divide(others, most);
      return [Math.log1p(ratio[0]), ratio[1] / (1 + ratio[0])];
    };
    const logPartition = () => {
      if (dominated) return Infinity;
      if (top === -Infinity) return -Infinity;
      const log = mantissa ? logOf(sum, bits) : logOverMost(), found = twoSum(top, log[0]);
      return Number.isFinite(found[0]) ? found[0] + (found[1] + log[1]) : found[0];
    };
    const logOf1 = i => {
      const log = logOverMost();
      if (i === leader) return -(log[0] + log[1]);
      const quotient = mantissa ? divide(mantissa[i], sum) : null;
      // The quotient may underflow while its logarithm is an ordinary number.
      if (quotient && logG && quotient[0] < 2 ** -962 && Number.isFinite(x[i])) return logG()[i] - logPartition();
      const found = twoSum(shifted[i][0], quotient ? Math.log(quotient[0]) : -log[0]);
      const low = quotient ? quotient[1] / (quotient[0] > 0 ? quotient[0] : 1) : -log[1];
      return Number.isFinite(found[0]) ? found[0] + (found[1] + low + shifted[i][1]) : found[0];
    };
    const complement = i => {
      if (i === leader) return value(divide(others, sum));
      const rest = twoSum(sum[0], -terms[i][0]);
      return value(divide([rest[0], rest[1] + sum[1] - terms[i][1]], sum));
    };
    const partitionGradient = () => derivative ? derivative().map((d, i) => {
      const room = Math.abs(d[0]) > 2 ** 512 ? 2 ** -204 : 1, hi = d[0] * room, product = twoProduct(hi, power[i]);
      return value(divide([product[0], product[1] + d[1] * room * power[i] + product[0] * shifted[i][1]], sum)) / room;
    }) : p;
    const gradient = label => partitionGradient().map((g, i) => {
      if (i !== label) return g;
      const rest = complement(i), steep = slope ? slope()[i] : 1;
      return rest === 0 && !Number.isFinite(steep) ? 0 : -rest * steep;
    });
    return { p, logP: () => zeros(x).map((_, i) => logOf1(i)), logPartition, loss: label => -logOf1(label), gradient };
  };

  const everyScore = () => true;
  LL.MAPPINGS = {
    softmax: { at: normalized({ carry: exponential, limits: [0, Infinity] }) },
    ratio: { at: normalized({ carry: identity, limits: [NaN, Infinity] }), domain: x => x.every(v => v >= 0) && x.some(v => v !== 0) },
    spherical: { at: normalized({ carry: square, limits: [Infinity, Infinity] }), domain: x => x.some(v => v !== 0) },
    taylor: { at: normalized({ carry: taylor, limits: [Infinity, Infinity] }), parameters: { order: 2 } },
    softplus_ratio: { at: normalized({ carry: softplus, limits: [0, Infinity], slopes: [1, 0] }) },
    sigmoid_ratio: { at: normalized({ carry: sigmoid, limits: [0, 1], slopes: [1, 0] }) },
    stablemax: { at: normalized({ carry: linearOrReciprocal, limits: [0, Infinity] }) },
    softmax_plus_one: { at: normalized({ carry: exponential, limits: [0, Infinity], spare: true }), sumsToOne: false },
  };
  for (const [name, mapping] of Object.entries(LL.MAPPINGS)) {
    LL.MAPPINGS[name] = { family: "normalized", domain: everyScore, parameters: {}, sumsToOne: true, ...mapping };
  }
}
