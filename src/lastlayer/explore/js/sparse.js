// The regularized mappings: hardmax, and α-entmax with its case α = 2, sparsemax, as in lastlayer.mappings.tsallis.
"use strict"; {
  const { twoSum, add, multiply, value, sum, total, largest, firstLargest } = LL.exact;

  // x − max with the rounding error of the difference; scores of +inf share the row equally.
  const shift = x => {
    const top = largest(x);
    return { top, difference: x.map(v => (top === Infinity ? [v === top ? 0 : -Infinity, 0] : kept(v, top))) };
  };
  const kept = (v, top) => {
    const [hi, lo] = twoSum(v, -top);
    return [hi, Number.isFinite(hi) ? lo : 0];
  };

  // What follows from p alone: the gradient p − y, whose true entry is minus the sum of the others.
  const regularized = (p, loss) => {
    const leader = firstLargest(p);
    const complement = i => (i === leader ? total(p.filter((_, j) => j !== i)) : 1 - p[i]);
    return {
      p,
      gradient: label => p.map((v, i) => (i === label ? -complement(i) : v)),
      loss: label => loss(label, p.map((v, i) => (i === label ? -complement(i) : v))),
    };
  };

  const hardmax = x => {
    const { difference } = shift(x), ties = difference.filter(d => d[0] === 0).length;
    return regularized(difference.map(d => (d[0] === 0 ? 1 / ties : ties ? 0 : NaN)), label => 0 - value(difference[label]));
  };

  // [1 + (α − 1)u]₊ and its power 1/(α − 1), each as a pair.
  const exponential = (u, alpha) => {
    const rate = alpha - 1, scaled = multiply(u, [rate, 0]);
    let base = twoSum(1, scaled[0]);
    base = [base[0], base[1] + scaled[1]];
    if (!(base[0] > 0)) return { base: [0, 0], p: [0, 0] };
    if (alpha === 2) return { base, p: base };
    if (alpha === 1.5) return { base, p: multiply(base, base) };
    // log(1 + w): log1p while w is small, else the log of the exact 1 + w, near the edge of the support.
    const log = scaled[0] > -0.5 ? Math.log1p(scaled[0]) + scaled[1] / (1 + scaled[0]) : Math.log(base[0]) + base[1] / base[0];
    const e = log / rate;
    return { base, p: e > -0.5 ? [1, Math.expm1(e)] : [Math.exp(e), 0] };
  };

  // A first threshold t: Newton inside a bracket, in turns with halving where α > 2 has vertical tangents.
  const threshold = (difference, alpha) => {
    const rate = alpha - 1;
    let low = Math.expm1(-rate * Math.log(difference.length)) / rate, high = 0, t = 0;
    for (let trip = 0; trip < (alpha > 2 ? 120 : 60) && low < high; trip++) {
      let sum = 0, slope = 0;
      for (const d of difference) {
        const w = rate * (d + t), base = 1 + w;
        if (!(base > 0)) continue;
        const p = Math.exp((w > -0.5 ? Math.log1p(w) : Math.log(base)) / rate);
        sum += p;
        slope += p / base;
      }
      if (sum >= 1) high = t; else low = t;
      const newton = t - Math.expm1(rate * Math.log(sum)) / rate * sum ** (2 - alpha) / slope, middle = (low + high) / 2;
      const next = !(newton >= low && newton <= high) || (alpha > 2 && trip % 2) ? middle : newton;
      if (next === t) break;
      t = next;
    }
    return alpha > 2 ? high : t;
  };

  // Σp − 1 and Newton's step for t.
  const newton = points => {
    const all = sum(points.map(q => q.p)), excess = (all[0] - 1) + all[1];
    return { excess, step: -excess / total(points.map(q => (q.p[0] > 0 ? value(q.p) / q.base[0] : 0))) };
  };

  const polished = (near, alpha) => {
    const at = t => near.map(d => exponential(add(d, t), alpha));
    let t = [threshold(near.map(d => d[0]), alpha), 0], points = at(t), { excess, step } = newton(points);
    for (let turn = 0; turn < 3; turn++) {
      const trial = add(t, [step, 0]), there = at(trial), next = newton(there);
      if (!(Math.abs(next.excess) < Math.abs(excess) && next.excess > -0.5)) break;
      [t, points, excess, step] = [trial, there, next.excess, next.step];
    }
    return { t, points, excess };
  };

  // For α > 2 a rounded t need not give a sum of one: move p along its tangents.
  const corrected = (p, base, excess) => {
    for (let turn = 0; turn < 2; turn++) {
      const slopes = p.map((v, i) => (v > 0 ? v / base[i] : 0)), all = total(slopes);
      p = p.map((v, i) => Math.max(0, v - excess * slopes[i] / all));
      excess = total(p) - 1;
    }
    return p;
  };

  const tsallis = (x, alpha) => {
    const { difference } = shift(x), rate = alpha - 1, edge = -1 / rate;
    if (difference.some(d => Number.isNaN(d[0]))) return regularized(x.map(() => NaN), () => NaN);
    const near = difference.map(d => (d[0] > edge ? d : [edge, 0]));
    const { t, points, excess } = polished(near, alpha);
    const base = points.map(q => (q.base[0] > 0 ? value(q.base) : 0));
    const p = alpha > 2 ? corrected(points.map(q => value(q.p)), base, excess) : points.map(q => value(q.p));
    const exponent = i => {
      const found = twoSum(difference[i][0], t[0]);
      return Number.isFinite(difference[i][0]) ? found[0] + (found[1] + difference[i][1] + t[1]) : difference[i][0];
    };
    // The Bregman divergence from y to p, and how far the true class is below the support.
    const loss = (label, gap) => {
      const u = exponent(label), slack = u < edge ? edge - u : 0;
      const divergence = gap.map((g, i) => {
        const y = i === label ? 1 : 0;
        if (alpha === 2) return g * g / 2;
        if (alpha === 1.5) {
          const roots = y + base[i], difference = roots > 0 ? g / roots : 0;
          return difference * difference * (y + base[i] / 2) / 0.75;
        }
        return Math.max(0, ((y ? -Math.max(u, edge) : 0) + base[i] * g) / alpha);
      });
      return total([...divergence, slack]);
    };
    return regularized(p, loss);
  };

  const SMALLEST_RATE = 2 ** -52;
  const entmax = (x, { alpha }) => (alpha - 1 < SMALLEST_RATE ? LL.MAPPINGS.softmax.at(x) : tsallis(x, alpha));
  const record = (at, parameters = {}) => ({ family: "regularized", domain: () => true, parameters, sumsToOne: true, at });
  LL.MAPPINGS.hardmax = record(hardmax);
  LL.MAPPINGS.sparsemax = record(x => tsallis(x, 2));
  LL.MAPPINGS.entmax = record(entmax, { alpha: 1.5 });
}
