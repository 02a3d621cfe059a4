// Double-double arithmetic, as in lastlayer.mappings.double_double: a pair [hi, lo] is the unevaluated sum hi + lo.
"use strict"; {
  const LL = (window.LL ??= {});

  // a + b exactly.
  const twoSum = (a, b) => {
    const hi = a + b, t = hi - a;
    return [hi, (a - (hi - t)) + (b - t)];
  };

  const split = a => {
    const t = a * 134217729, high = t - (t - a);
    return [high, a - high];
  };

  // a·b exactly, for magnitudes from 1e-145 to 1e290.
  const twoProduct = (a, b) => {
    const hi = a * b, [aHi, aLo] = split(a), [bHi, bLo] = split(b);
    return [hi, ((aHi * bHi - hi) + aHi * bLo + aLo * bHi) + aLo * bLo];
  };

  const add = (a, b) => {
    const [hi, lo] = twoSum(a[0], b[0]);
    return [hi, lo + (a[1] + b[1])];
  };

  const multiply = (a, b) => {
    const [hi, lo] = twoProduct(a[0], b[0]);
    return [hi, lo + (a[0] * b[1] + a[1] * b[0])];
  };

  // One division, then a correction by its remainder.
  const divide = (a, b) => {
    const hi = a[0] / b[0], [back, backLo] = twoProduct(hi, b[0]);
    return [hi, (((a[0] - back) - backLo) + a[1] - hi * b[1]) / b[0]];
  };

  const value = pair => pair[0] + pair[1];

  // The sum of pairs, with the rounding error of every addition kept.
  const sum = pairs => pairs.reduce(add, [0, 0]);

  // The sum of numbers, rounded once; infinite where it overflows, where the kept errors alone would give NaN.
  const total = numbers => {
    const rounded = numbers.reduce((s, v) => s + v, 0);
    return Number.isFinite(rounded) ? value(sum(numbers.map(v => [v, 0]))) : rounded;
  };

  // 2^k exactly, for a normal number: Math.pow need not be exact.
  const powerOf2 = k => new Float64Array(new BigUint64Array([BigInt(k + 1023) << 52n]).buffer)[0];

  // [2^k, k] with x·2^k about one; [1, 0] where x is zero or infinite.
  const scaleOf = x => {
    if (!(x > 0 && Number.isFinite(x))) return [1, 0];
    const k = Math.min(Math.max(-Math.floor(Math.log2(x)), -1021), 1021);
    return [powerOf2(k), k];
  };

  const largest = numbers => numbers.reduce((m, v) => (v > m ? v : m), -Infinity);
  const firstLargest = numbers => numbers.indexOf(largest(numbers));

  LL.exact = { twoSum, twoProduct, add, multiply, divide, value, sum, total, powerOf2, scaleOf, largest, firstLargest };
}
