// 8. Is max differentiable? max, argmax and softmax while x₀ passes the largest other score, with their slopes.
"use strict"; {
  const LL = (window.LL ??= {});
  const logistic = d => (d >= 0 ? 1 / (1 + Math.exp(-d)) : Math.exp(d) / (1 + Math.exp(d)));
  // All scores but the first: the largest of them, its class, and the logarithm of their sum of exponentials.
  const othersOf = scores => {
    const others = scores.slice(1), largest = Math.max(...others);
    // A class that is alone is passed by none; its picture has its middle at 0.
    if (!others.length) return { largest, middle: 0, place: 1, count: 0, whole: largest };
    return { largest, middle: largest, place: others.indexOf(largest) + 1, count: others.length, whole: LL.logsumexp(others) };
  };
  // f and its slope in x₀ among all scores; null at the tie, where there is none.
  const FUNCTIONS = [
    { name: "hardmax", colour: "var(--neutral)", title: "max", value: o => (o.count === 1 ? "max(x₀, x₁)" : "max(x)"),
      f: (x, o) => Math.max(x, o.largest), slope: (x, o) => (x === o.largest ? null : x > o.largest ? 1 : 0),
      says: "a kink at the tie" },
    { name: "hardmax", title: "argmax, as 0 or 1", value: () => "is x₀ the largest?",
      f: (x, o) => (x === o.largest ? 0.5 : x > o.largest ? 1 : 0), slope: (x, o) => (x === o.largest ? null : 0),
      says: "a step: slope 0 on both sides", jumps: true },
    { name: "softmax", title: "softmax", value: () => "p₀", f: (x, o) => logistic(x - o.whole),
      slope: (x, o) => logistic(x - o.whole) * logistic(o.whole - x), says: "an S: a slope everywhere" },
  ];
  const REACH = 3;

  const drawing = (element, record, state, { open, t }) => {
    const { w, em } = LL.size(element), others = othersOf(state.scores), other = others.middle,
      at = Math.max(other - REACH, Math.min(other + REACH, state.scores[0]));
    const isMax = record.title === "max", tall = Math.min(w * 0.5, em * (LL.state.ui === "present" ? 5.6 : 10)),
      low = isMax ? other - REACH * (others.count ? 0.4 : 1) : 0, high = isMax ? other + REACH : 1;
    const colour = record.colour ?? LL.colour(record.name);
    const shared = { from: other - REACH, to: other + REACH, xTicks: [[other, others.count ? `x${LL.sub(others.place)} = ${LL.score(other)}` : "x₀ = 0"]], right: 1.2,
      at: open ? null : at, steps: 240, marks: [{ x: other, words: "", colour: "var(--rule)", dash: "2 3" }] };
    const cut = f => x => (Math.abs(x - others.largest) < REACH / 121 && record.jumps ? null : f(x, others));
    const upper = LL.curves(w, tall, em,
      { ...shared, low, high, yTicks: isMax ? [[other, LL.score(other)]] : [[0, "0"], [1, "1"]], yName: record.value(others),
      series: [{ colour, f: cut(record.f) }] });
    const end = LL.mix(other - REACH, other + REACH, t);
    const slope = x => (x > end || (Math.abs(x - others.largest) < REACH / 121 && record.title !== "softmax") ? null
      : record.slope(x, others));
    const lower = LL.curves(w, tall, em,
      { ...shared, low: 0, high: 1, yTicks: [[0, "0"], [1, "1"]], yName: "its slope",
      series: open ? [] : [{ colour, f: slope }] });
    const here = record.slope(state.scores[0], others);
    LL.svg(element, w, tall * 2 + em * 0.6,
      upper.body + `<g transform="translate(0 ${LL.n(tall + em * 0.6)})">${lower.body}</g>`,
      open ? `${record.title} against x0; its slope is still hidden`
        : `${record.title}: ${LL.say(record.f(state.scores[0], others), 3)} at x0 = ${LL.score(state.scores[0])}, slope ${here === null ? "none, a tie" : LL.say(here, 3)}`);
    return here === null ? "none: a tie" : LL.say(here, 3);
  };

  LL.scene("8", {
    right: () => "nearly",
    setup(section, scene) {
      section.querySelector("#slopes").innerHTML = FUNCTIONS.map((record, i) =>
        `<div class="panel"><h3>${i ? LL.swatch(record.name) : ""} ${record.title}</h3><div data-slope="${i}"></div><p data-slope-words="${i}"></p></div>`).join("");
      section.querySelector("#x0").oninput = event =>
        LL.replaceScores([...LL.given([Number(event.target.value)]), ...LL.state.scores.slice(1)], LL.state.label);
      section.querySelectorAll("[data-slope]").forEach(element => LL.watch(element, () => LL.paint(scene)));
    },
    figure(fig, state, view) {
      const { section } = view.scene, { middle: other, place } = othersOf(state.scores);
      section.querySelector("[data-other]").innerHTML = `x<sub>${place}</sub>`;
      const slider = section.querySelector("#x0");
      Object.assign(slider, { min: other - REACH, max: other + REACH, value: state.scores[0] });
      slider.setAttribute("aria-valuetext", LL.spoken(LL.score(state.scores[0])));
      section.querySelector("#x0-out").textContent = LL.score(state.scores[0]);
      FUNCTIONS.forEach((record, i) => {
        const slope = drawing(section.querySelector(`[data-slope="${i}"]`), record, state, view);
        section.querySelector(`[data-slope-words="${i}"]`).innerHTML = view.open ? ""
          : `slope here <b>${slope}</b>${state.scores.length > 1 ? `; ${record.says}` : ""}`;
      });
    },
    sentence(state, { guess }) {
      const x = state.scores[0], others = othersOf(state.scores), y = others.largest, said = !guess ? "" : guess === "nearly" ? "Right. "
        : "Not quite. ";
      const slope = FUNCTIONS[2].slope(x, others);
      const here = x === y ? "At this tie max has a kink and the argmax jumps"
        : `Here max has the slope <b>${x > y ? 1 : 0}</b> and the argmax the slope <b>0</b>`;
      return `${said}${here}; softmax has <b>${LL.say(slope, 3)}</b>. What cannot be learnt from is <em>which</em> score is largest.`;
    },
  });
}
