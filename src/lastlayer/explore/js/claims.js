// What people say about softmax, judged on the scores at hand, as lastlayer.comparison.claims does it. LL.WORDS.claims has
// the claims themselves, and what is true in general.
"use strict"; {
  const EPS = 2 ** -52, LARGE = 1e100, STEPS = 10, HUGE = Number.MAX_VALUE;
  const { total, largest, firstLargest } = LL.exact;
  const short = (v, digits) => LL.short(v, digits), probability = p => LL.probability(p);
  const plainSum = numbers => numbers.reduce((s, v) => s + v, 0);
  const smallest = numbers => -largest(numbers.map(v => -v));
  // 1 − p of a class as the sum of the others, which keeps its digits where p is about 1.
  const others = (p, i) => total(p.filter((_, j) => j !== i));
  const largestChange = (a, b) => largest(a.map((v, i) => Math.abs(v - b[i])));
  const softmax = x => LL.MAPPINGS.softmax.at(x).p;
  const ratioOf = x => LL.probabilities("ratio", x);

  const tuple = numbers => {
    const shown = numbers.length <= 4 ? numbers : numbers.slice(0, 3);
    const rest = numbers.length - shown.length;
    return `(${shown.map(v => short(v)).join(", ")}${rest ? `, … ${rest} more` : ""})`;
  };

  // Four digits after the point without trailing zeros, so that a sum adds up: 1.4741, 0.5; `short` for very large or small.
  const decimal = v => {
    if (v !== 0 && !(Math.abs(v) >= 1e-3 && Math.abs(v) < 1e6)) return short(v);
    // toFixed takes a tie away from zero; Python takes it to the even digit.
    const exact = v.toFixed(60), cut = exact.slice(0, -56);
    const tie = /^50*$/.test(exact.slice(-56)) && Number(cut.at(-1)) % 2 === 0;
    const text = (tie ? cut : v.toFixed(4)).replace(/\.?0+$/, "");
    return text === "-0" ? "0" : text;
  };

  // Zero but for the rounding of the sum: what the ratio cannot divide by.
  const sumsToZero = x => {
    const size = largest(x.map(Math.abs));
    return size === 0 || Math.abs(total(x.map(v => v / size))) <= 4 * EPS * x.length;
  };
  LL.sumsToZero = sumsToZero;

  const caseOf = (given, label, parameters) => {
    const x = LL.activate(given, parameters), ratio = ratioOf(x);
    const c = { given, x, softcap: parameters.softcap, K: x.length, size: largest(x.map(Math.abs)), softmax: softmax(x), ratio };
    c.label = label ?? x.indexOf(smallest(x));
    const order = x.map((_, i) => i).sort((i, j) => x[j] - x[i]);
    // Numbers per class: all of them up to 4, else those of the two largest scores, of `others` and of the label.
    c.shown = (values, ...others) => {
      if (c.K <= 4) return tuple(values);
      const classes = new Set([...order.slice(0, 2), ...others, ...(label === null ? [] : [label])]);
      return `(${[...classes].map(k => `class ${k}: ${short(values[k])}`).join(", ")}, …)`;
    };
    c.allEqual = x.every(v => v === x[0]);
    c.nothingAhead = c.K === 1 ? "One class: it gets 1 either way." : "All scores are equal.";
    c.top = firstLargest(x);
    return c;
  };
  const untested = evidence => ["not tested", evidence];

  const sharper = c => {
    if (c.allEqual) return untested(c.nothingAhead);
    if (!c.ratio) return untested("The ratio has no answer here, so there is nothing to compare softmax with.");
    const [soft, plain] = [c.softmax, c.ratio].map(p => probability(largest(p)));
    const turn = LL.turning(c.x);
    const hidden = soft === plain ? `by less than the digits of ${plain} show` : "";
    const mine = `Softmax is more certain, ${hidden || `${soft} against ${plain}`}`;
    const theirs = `The ratio is more certain, ${hidden || `${plain} against ${soft}`}`;
    if (turn === null) return ["no", `${theirs}, and stays so at any multiple: the others have the score zero, and it gives them exactly nothing.`];
    if (Math.abs(turn - 1) <= 1e-9) return ["no", `Both give ${soft} to the largest score. Softmax is more certain for any larger multiple.`];
    if (turn === Infinity) return ["no", `${theirs}, at every multiple that a float64 holds.`];
    const agree = `If all scores were ${short(turn)} times as large the two would agree`;
    return turn < 1
      ? ["yes", `${mine}. ${agree}; below that the ratio is more certain.`]
      : ["no", `${theirs}. ${agree}; beyond that softmax is more certain.`];
  };

  // A power of ten that makes the largest score clearly the largest; 1 where the scores are too large for any.
  const enlarging = c => {
    const ordered = [...new Set(c.x)].sort((a, b) => a - b), gap = ordered.at(-1) - ordered.at(-2);
    if (!(10 * c.size < 1e308)) return 1;
    const power = Math.max(1, Math.ceil(Math.log10(5) - Math.log10(gap)));
    return Number(`1e${Math.min(power, 300, Math.floor(300 - Math.log10(c.size)))}`);
  };

  const softMax = c => {
    if (c.allEqual) return untested(c.nothingAhead);
    const factor = enlarging(c), top = largest(c.softmax), enlarged = largest(softmax(c.x.map(v => v * factor)));
    const here = enlarged >= top * (1 - 8 * EPS) ? "yes" : "no", still = c.ratio ? `, the ratio still ${probability(largest(c.ratio))}` : "";
    const tied = c.x.filter(v => v === c.x[c.top]).length, ties = tied > 1 ? ` It is shared by the ${tied} largest scores.` : "";
    const gives = `Softmax gives the largest score ${probability(top)} here`;
    if (factor === 1) return [here, `${gives}${still}; larger multiples do not fit a float64.${ties}`];
    return [here, `${gives}, and ${probability(enlarged)} at ${short(factor)} times these scores${still}.${ties}`];
  };

  const untestedShift = c => c.allEqual ? c.nothingAhead
    : 8 * EPS * c.size > 1e-3 ? `Adding a constant to scores of size ${short(c.size)} would round them.` : null;
  const moved = c => {
    const amount = 1 - Math.min(0, Math.floor(smallest(c.x)));
    return { amount, slack: 1e-12 + 8 * EPS * c.size, to: c.x.map(v => v + amount) };
  };
  const stays = same => (same ? "stays" : "goes to");

  const shift = c => {
    const why = untestedShift(c);
    if (why) return untested(why);
    const { amount, slack, to } = moved(c), soft = softmax(to), plain = ratioOf(to);
    const keeps = largestChange(soft, c.softmax) <= slack, changes = !c.ratio || largestChange(plain, c.ratio) > slack;
    const moves = changes ? `goes from ${c.ratio ? c.shown(c.ratio) : "undefined"} to` : "stays";
    return [!keeps ? "no" : changes ? "yes" : "not tested",
      `Add ${short(amount)}: softmax ${stays(keeps)} ${c.shown(soft)}, the ratio ${moves} ${c.shown(plain)}.`];
  };

  // The other ways to make scores positive that people propose.
  const OTHER_G = {
    "|x|": Math.abs,
    "x²": v => v * v,
    "max(0, x)": v => Math.max(v, 0),
    softplus: v => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))),
  };

  const onlyExp = c => {
    const why = untestedShift(c);
    if (why) return untested(why);
    const { amount, slack, to } = moved(c), still = [], changed = [];
    const share = (g, x) => {
      const values = x.map(g), sum = plainSum(values);
      return sum > 0 ? values.map(v => v / sum) : null;
    };
    const at = p => (p ? short(p[c.top]) : "undefined");
    for (const [name, g] of Object.entries(OTHER_G)) {
      const before = share(g, c.x), after = share(g, to);
      if (!before || !after || largestChange(before, after) > slack) changed.push(`${name} ${at(before)} → ${at(after)}`);
      else still.push(name);
    }
    const soft = softmax(to);
    if (largestChange(soft, c.softmax) > slack || still.length) {
      return untested(`Add ${short(amount)}: too little changes here with ${still.join(", ") || "the exponential"}.`);
    }
    return ["yes", `Add ${short(amount)}, and the share of class ${c.top} changes: ${changed.join(", ")}. Only e^x stays at ${short(soft[c.top])}.`];
  };

  const scale = c => {
    if (c.allEqual) return untested(c.nothingAhead);
    if (!c.ratio) return untested("The ratio has no answer here, whatever the scores are multiplied by.");
    const factor = c.size < 1e300 ? 2 : 0.5, x = c.x.map(v => v * factor), soft = softmax(x), plain = ratioOf(x);
    const multiply = `Multiply by ${short(factor)}: softmax`;
    if (largestChange(soft, c.softmax) <= 5e-5) return untested(`${multiply} changes too little to be seen, from ${c.shown(c.softmax)}.`);
    const keeps = largestChange(plain, c.ratio) <= 1e-12;
    return [keeps ? "yes" : "no", `${multiply} goes to ${c.shown(soft)}, the ratio ${stays(keeps)} ${c.shown(plain)}.`];
  };

  const negativeScores = c => {
    const first = c.x.findIndex(v => v < 0);
    if (first < 0) return untested(`No score is negative here: the smallest is ${short(smallest(c.x))}.`);
    const begins = `x${first} = ${short(c.x[first])}`;
    if (sumsToZero(c.x)) return ["yes", `${begins}, and the sum is zero as well.`];
    const scaled = c.x.map(v => v / c.size), sum = plainSum(scaled), shares = scaled.map(v => v / sum);
    if (smallest(shares) >= 0) {
      const turned = c.allEqual ? "" : ", but in the reverse order";
      return ["yes", `${begins}, and the sum is negative too: x / Σx = ${c.shown(shares)} looks like probabilities${turned}.`];
    }
    const worst = shares.indexOf(smallest(shares));
    return ["yes", `${begins}: class ${worst} would get the "probability" ${short(shares[worst])}.`];
  };

  const zeroSum = c => {
    if (!sumsToZero(c.x)) return untested(`These scores sum to ${short(plainSum(c.x.map(v => v / c.size)) * c.size)}.`);
    const terms = c.x.slice(0, 5).map(v => (v >= 0 ? "+ " : "− ") + short(Math.abs(v))).join(" ").replace(/^\+ /, "");
    return ["yes", `${terms}${c.K > 5 ? " …" : ""} = 0, and the ratio divides by it.`];
  };

  const tanh = c => {
    if (c.K === 1) return untested("One class: it gets 1 whatever its score.");
    const cap = c.softcap || 1, capped = c.given.map(v => cap * Math.tanh(v / cap));
    const least = c.given.indexOf(smallest(c.given));
    const formula = cap === 1 ? `tanh${c.shown(c.given, least)}` : `${short(cap)}·tanh(x / ${short(cap)})`;
    const done = `${formula} = ${c.shown(capped, least)}`;
    if (!capped.some(v => v < 0)) return ["no", `${done}. A tanh keeps every sign, and no score was negative before.`];
    const zero = sumsToZero(capped) ? " Their sum is zero, too." : "";
    return ["yes", `${done}. But a tanh keeps every sign: these were negative before.${zero}`];
  };

  const onlyDifferentiable = c => {
    if (c.K === 1) return untested("One class: it gets 1 whatever its score.");
    const least = smallest(c.x);
    if (least <= 0) return untested(`The ratio has no derivative at a score of ${short(least)}, the edge of its domain or beyond.`);
    if (c.size > LARGE || least < 1 / LARGE) return untested("Such huge or tiny scores leave no digits for a derivative.");
    const { top } = c, slope = others(c.ratio, top) / plainSum(c.x), soft = c.softmax[top] * others(c.softmax, top);
    return ["no", `∂p${top}/∂x${top} = (1 − p${top}) / S = ${short(slope)} for the ratio, and p${top}·(1 − p${top}) = ${short(soft)} for softmax.`];
  };

  const hasInverse = v => v >= 1 / HUGE;
  // After how many gradient steps of size 1 the ratio has no answer or no slope; null if it has after 10; and the scores then.
  LL.stepsToLeave = (scores, label) => {
    let x = scores;
    for (let step = 1; step <= STEPS; step++) {
      const pull = 1 / x[label], push = 1 / plainSum(x);
      x = x.map((v, i) => (i === label ? v - push + pull : v - push));
      const sum = plainSum(x);
      if (smallest(x) < 0 || !Number.isFinite(sum) || !hasInverse(sum) || !hasInverse(x[label])) return [step, x];
    }
    return [null, x];
  };

  const ratioLearns = c => {
    if (c.K === 1) return untested("One class: there is nothing to learn.");
    if (c.size > LARGE) return untested(`Steps of size 1 do not move scores of size ${short(c.size)}.`);
    if (!c.ratio) return ["no", `The ratio has no answer at ${c.shown(c.x, c.x.indexOf(smallest(c.x)))}, so it has no slope to follow.`];
    const y = c.label, score = c.x[y], sum = plainSum(c.x), isTrue = `If class ${y} is true,`;
    if (score === 0) return ["no", `${isTrue} its score is 0, its loss is infinite and so is the slope 1/S − 1/x${y}.`];
    if (!hasInverse(sum) || !hasInverse(score)) return ["no", `${isTrue} its score is ${short(score)} and the slope 1/S − 1/x${y} overflows.`];
    const slopes = `${isTrue} the slope at its score is ${short(1 / sum - 1 / score)} for the ratio, ${short(-others(c.softmax, y))} for softmax.`;
    const [steps, x] = LL.stepsToLeave(c.x, y);
    if (steps === null) return untested(`${slopes} In ${STEPS} gradient steps of size 1 the scores stay inside the ratio's domain.`);
    const takes = steps === 1 ? "One gradient step of size 1 takes" : `${steps} gradient steps of size 1 take`;
    const end = x.every(Number.isFinite) && smallest(x) < 0 ? ": a negative score, where it has no answer." : ", where its slope is infinite.";
    return ["no", `${slopes} ${takes} the ratio to ${c.shown(x, x.indexOf(smallest(x)), y)}${end}`];
  };

  const hardmax = x => LL.MAPPINGS.hardmax.at(x).p;
  const maxSlope = c => {
    if (c.K === 1) return untested("One class: there is nothing to choose.");
    const { top } = c, [first, second] = [...c.x].sort((a, b) => b - a), here = hardmax(c.x);
    if (first === second) {
      const step = Math.max(1e-6, 4 * EPS * c.size), after = hardmax(c.x.map((v, i) => (i === top ? v + step : v)));
      const jump = `raising x${top} by ${short(step)} moves its one-hot answer from ${short(here[top])} to ${short(after[top])}`;
      return ["yes", `A tie for the largest: max(x) has a kink here, and ${jump}.`];
    }
    const step = Math.min(first / 4 - second / 4, (HUGE - c.size) / 4);
    const slope = c.K <= 4 ? tuple(here) : `1 at class ${top} and 0 elsewhere`;
    return ["half true", `max(x) has a slope here, ${slope}. But which score is largest cannot be learnt: nudge any score by ${short(step)} and the one-hot answer changes by 0.`];
  };

  const logarithm = c => {
    if (c.K === 1) return untested("One class: its loss is 0 whatever its score.");
    const y = c.label, score = c.x[y], exponentials = c.K <= 3 ? c.x.map(v => `e^${short(v)}`).join(" + ") : "Σ e^x";
    const loss = decimal(LL.MAPPINGS.softmax.at(c.x).loss(y));
    let text = `If class ${y} is true, loss = log(${exponentials}) − x${y} = ${decimal(LL.logsumexp(c.x))} ${score >= 0 ? "−" : "+"} ${decimal(Math.abs(score))} = ${loss}`;
    if (c.K === 2) text += ` = log(1 + e^(x${1 - y} − x${y})) = log(1 + e^${short(c.x[1 - y] - score)})`;
    return ["yes", `${text}.${inTwoSteps(c.x, y)}`];
  };

  // What softmax first and a logarithm after it would have given, where that is infinite or not a number.
  const inTwoSteps = (x, y) => {
    const e = x.map(Math.exp), naive = -Math.log(e[y] / plainSum(e));
    return Number.isFinite(naive) ? "" : ` Softmax first and a logarithm after it would give ${Number.isNaN(naive) ? "no number" : short(naive)}.`;
  };

  const gradient = c => {
    if (c.K === 1) return untested("One class: its loss is 0 whatever its score, and so is the gradient.");
    if (4 * EPS * (1 + c.size) > 1e-7) return untested(`Scores of size ${short(c.size)} leave no digits for a difference quotient.`);
    const y = c.x.map((_, i) => Number(i === c.label)), which = c.K <= 4 ? `(${y.map(v => short(v)).join(", ")})` : `1 at class ${c.label}`;
    const difference = c.softmax.map((p, i) => (i === c.label ? -others(c.softmax, i) : p));
    return ["yes", `If class ${c.label} is true, p − y = ${c.shown(c.softmax, c.label)} − ${which} = ${c.shown(difference, c.label)}.`];
  };

  const twoClasses = c => {
    if (c.K === 1) return untested("One class: there is no difference to take.");
    const d = c.x[0] - c.x[1], sigma = Math.exp(Math.min(d, 0)) / (1 + Math.exp(-Math.abs(d)));
    const left = `σ(x0 − x1) = σ(${short(d)}) = ${short(sigma)}`;
    if (c.K === 2) return ["yes", `${left}, and softmax gives class 0 ${short(c.softmax[0])}.`];
    return untested(`There are ${c.K} classes, but it holds between any two of them: ${left}, and p0 / (p0 + p1) = ${short(softmax(c.x.slice(0, 2))[0])}.`);
  };

  const JUDGES = {
    sharper, soft_max: softMax, shift, only_exp: onlyExp, scale, negative_scores: negativeScores, zero_sum: zeroSum, tanh,
    only_differentiable: onlyDifferentiable, ratio_learns: ratioLearns, max_slope: maxSlope, logarithm, gradient, two_classes: twoClasses,
  };

  // Every claim: {name, here: "yes" | "no" | "half true" | "not tested", evidence}; null without scores, or if the label is none
  // of their classes.
  LL.claims = (scores, label = null, parameters = {}) => {
    LL.checkParameters(parameters);
    if (!scores.length || (label !== null && !LL.isClass(label, scores))) return null;
    const names = Object.keys(JUDGES), reached = LL.activate(scores, parameters);
    if (!reached.every(Number.isFinite)) {
      const evidence = `The scores ${tuple(reached)} are not all finite.`;
      return names.map(name => ({ name, here: "not tested", evidence }));
    }
    const c = caseOf(scores, label, parameters);
    return names.map(name => {
      const [here, evidence] = JUDGES[name](c);
      return { name, here, evidence };
    });
  };
}
