// The normalized mappings p = g(x) / Σ g(x), as in lastlayer.mappings: each gives its g as mantissa · e^exponent / 2^bits.
"use strict"; {
  const { twoSum, twoProduct, add, multiply, divide, value, powerOf2, scaleOf, largest } = LL.exact;

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

  const { normalized } = LL;
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
