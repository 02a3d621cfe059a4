// Probabilities, losses and gradients of scores, after softcap and temperature: what the page calls and offers to others.
"use strict"; {
  const { total, firstLargest } = LL.exact;

  // "entmax:alpha=1.3" → ["entmax", {alpha: 1.3}].
  const read = name => {
    const [plain, ...rest] = name.split(":");
    const own = rest.join(":").split(",").filter(Boolean).map(part => part.split("="));
    return [plain, Object.fromEntries(own.map(([key, number]) => [key, Number(number)]))];
  };

  const ACTIVATION = ["temperature", "softcap"];
  const known = () => [...ACTIVATION, ...Object.values(LL.MAPPINGS).flatMap(m => Object.keys(m.parameters))];
  // `own` are the parameters in a mapping's name, which only that mapping has; `parameters` are for any mapping.
  const check = (plain, own, parameters) => {
    if (!Object.hasOwn(LL.MAPPINGS, plain)) throw new RangeError(`There is no mapping ${plain}; there are ${Object.keys(LL.MAPPINGS).join(", ")}.`);
    const its = Object.keys(LL.MAPPINGS[plain].parameters), strange = Object.keys(own).find(name => !its.includes(name));
    if (strange !== undefined) throw new RangeError(`${plain} has no parameter ${strange}; it has ${its.join(", ") || "none"}.`);
    LL.checkParameters({ ...parameters, ...own });
  };
  LL.checkParameters = parameters => {
    for (const [name, v] of Object.entries(parameters)) {
      if (!known().includes(name)) throw new RangeError(`There is no parameter ${name}; there are ${known().join(", ")}.`);
      if (v !== undefined && !LL.fits(name, v)) throw new RangeError(`${name} is ${v}, which is out of its range, ${LL.RANGES[name].least} to ${LL.RANGES[name].most}.`);
    }
  };
  LL.isClass = (label, scores) => Number.isInteger(label) && label >= 0 && label < scores.length;

  // tanh with the digits of its tail, as in lastlayer.activation.
  const tanh = u => {
    const tail = Math.exp(-2 * Math.abs(u)), far = 1 - 2 * tail / (1 + tail);
    return Math.abs(u) < 0.5 ? Math.tanh(u) : u < 0 ? -far : far;
  };

  // softcap · tanh(x / softcap) / temperature; without a softcap x / temperature.
  LL.activate = (scores, { temperature, softcap } = {}) =>
    scores.map(v => (softcap ? softcap * tanh(v / softcap) : v) / (temperature || 1));

  const pullBack = (scores, gradient, { temperature, softcap } = {}) => gradient.map((g, i) => {
    const tail = softcap ? Math.exp(-2 * Math.abs(scores[i] / softcap)) : 1;
    return g * (4 * tail / ((1 + tail) * (1 + tail))) / (temperature || 1);
  });

  // A mapping at scores (a Point of normalized.js or what regularized of sparse.js gives), or null where it has no answer.
  LL.point = (name, scores, parameters = {}) => {
    const [plain, own] = read(name);
    check(plain, own, parameters);
    const mapping = LL.MAPPINGS[plain], x = LL.activate(scores, parameters);
    if (!x.length || x.some(Number.isNaN) || !mapping.domain(x)) return null;
    const options = { ...mapping.parameters };
    for (const key of Object.keys(options)) options[key] = own[key] ?? parameters[key] ?? options[key];
    const point = mapping.at(x, options);
    if (point.p.some(Number.isNaN)) return null;
    // A probability that may be one rounding away from 1.
    return x.length === 1 && mapping.sumsToOne ? certain(point) : point;
  };
  const certain = point => ({ ...point, p: [1], loss: () => 0, gradient: () => [0] });

  // p, (K,), or null where the mapping has no answer.
  LL.probabilities = (name, scores, parameters) => LL.point(name, scores, parameters)?.p ?? null;

  // The loss if class `label` is the true one: log loss, or Fenchel–Young for the regularized family.
  LL.loss = (name, scores, label, parameters) => {
    const point = LL.point(name, scores, parameters), loss = LL.isClass(label, scores) ? point?.loss(label) ?? NaN : NaN;
    return Number.isNaN(loss) ? null : loss;
  };

  // The gradient of that loss in the scores as given, so through softcap and temperature.
  LL.gradient = (name, scores, label, parameters) => {
    const inside = LL.isClass(label, scores) ? LL.point(name, scores, parameters)?.gradient(label) : null;
    const gradient = inside && pullBack(scores, inside, parameters);
    return gradient && !gradient.some(Number.isNaN) ? gradient.map(g => g + 0) : null;
  };

  // log Σ e^x.
  LL.logsumexp = scores => LL.MAPPINGS.softmax.at(scores).logPartition();

  // The c > 0 with max softmax(c·x) = max ratio(x), as turning_scale in lastlayer.comparison: null where there is none.
  LL.turning = scores => {
    const top = firstLargest(scores), most = scores[top], spread = most - Math.min(...scores);
    const others = scores.filter((_, i) => i !== top), goal = total(others.map(v => v / most));
    if (!(goal > others.filter(v => v === most).length)) return null;
    const distances = others.map(v => (v - most) / spread);
    const rest = u => total(distances.map(d => Math.exp(u * d)));
    let low = 0, high = 1;
    while (rest(high) > goal) [low, high] = [high, 2 * high];
    for (let middle; low < (middle = (low + high) / 2) && middle < high;) {
      if (rest(middle) > goal) low = middle; else high = middle;
    }
    return high < spread * Number.MAX_VALUE ? high / spread : Infinity;
  };
}
