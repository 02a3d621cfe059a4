// 5. Which g makes the scores positive, and does not care where their zero is?
"use strict"; {
  const LL = (window.LL ??= {});

  const softplus = x => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));
  // [always an answer, keeps the order, a shift changes nothing]: facts about g, not about the scores at hand.
  const G = {
    abs: { words: "|x|", g: Math.abs, tests: ["no: 0 / 0", "no", "no"],
      why: "|x| forgets the sign: −3 counts as much as 3" },
    square: { words: "x²", g: x => x * x, tests: ["no: 0 / 0", "no", "no"],
      why: "x² forgets the sign: −3 counts as much as 3" },
    relu: { words: "max(0, x)", g: x => Math.max(0, x), tests: ["no: 0 / 0", "no: ties", "no"],
      why: "max(0, x) leaves nothing to divide by when no score is positive, and no slope to learn from" },
    softplus: { words: "softplus", g: softplus, tests: ["yes", "yes", "no"],
      why: "softplus always has an answer, but the answer depends on where the zero is" },
    exp: { words: "eˣ", g: Math.exp, tests: ["yes", "yes", "yes"], why: "only differences count" },
  };

  const known = key => Object.hasOwn(G, key);
  const share = (key, scores, c) => {
    const moved = scores.map(v => v + c), i = LL.top(scores);
    if (key === "exp") return LL.probabilities("softmax", moved)?.[i] ?? null;
    const values = moved.map(G[key].g), sum = values.reduce((a, b) => a + b, 0);
    return sum > 0 ? values[i] / sum : null;
  };
  const picture = g => {
    let d = "";
    for (let i = 0; i <= 40; i++) { const x = -2.5 + i / 8, y = Math.min(4, g(x));
    d += `${i ? "L" : "M"}${LL.n(30 + x * 11)} ${LL.n(40 - y * 9)}`; }
    const axes = LL.line(2, 40, 58, 40) + LL.line(30, 3, 30, 42, "grid");
    return `<svg viewBox="0 0 60 44" aria-hidden="true">${axes}${LL.stroke(d, "currentColor", 2.4)}</svg>`;
  };
  const cell = text => (text === "yes" ? '<td class="yes">✓<span class="unseen"> yes</span></td>'
    : `<td class="no">✗<span class="unseen"> no</span>${text.replace(/^no:?/, "")}</td>`);

  LL.scene("5", {
    right: () => "exp",
    words: { shift: state => `${state.shift < 0 ? "−" : "+"}\u00a0${LL.say(Math.abs(state.shift))}` },
    setup(section) {
      section.querySelector("#tiles").innerHTML = Object.entries(G).map(([key, { words, g }]) =>
        `<button type="button" data-guess="${key}">${picture(g)}<span>${words}</span></button>`).join("");
      section.querySelector("#tests").innerHTML = Object.entries(G).map(([key, { words, tests }]) =>
        `<tr data-g="${key}"><th scope="row">${words}</th>${tests.map(cell).join("")}</tr>`).join("");
      section.querySelector("#tiles").addEventListener("click", event => {
        const button = event.target.closest("[data-guess]");
        if (button) LL.set({ g: button.dataset.guess });
      });
    },
    figure(fig, state, view) {
      const { w, em } = LL.size(fig), h = Math.min(w * 0.66, em * (LL.state.ui === "present" ? 14 : 27)),
        { section } = view.scene, { open, t } = view;
      const chosen = known(state.g) ? state.g : "exp",
        r = LL.nice(Math.max(3, 1.5 * Math.max(...state.scores.map(Math.abs))));
      Object.assign(section.querySelector("[data-state]"), { min: -r, max: r, step: r / 60 });
      view.scene.guess = known(state.g) ? state.g : null;
      section.querySelectorAll("[data-guess]").forEach(b =>
        b.setAttribute("aria-pressed", String(b.dataset.guess === state.g)));
      section.querySelectorAll("[data-g]").forEach(row =>
        (row.dataset.g === chosen ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
      const others = open ? [] : Object.keys(G).filter(key => key !== chosen);
      const end = LL.mix(-r, r, t);
      const of = key => c => (c <= end ? share(key, state.scores, c) : null);
      const series = open ? [] : [...others.map(key =>
        ({ f: of(key), colour: "var(--rule)", words: "", plain: true })),
        { f: of(chosen), colour: chosen === "exp" ? LL.colour("softmax") : "var(--neutral)", words: G[chosen].words }];
      const { body } = LL.curves(w, h, em,
        { from: -r, to: r, steps: 120, series, at: open ? null : Math.max(-r, Math.min(r, state.shift)),
        right: w < 420 ? 5.6 : 7.4,
        xTicks: [-r, 0, r].map(c => [c, c ? `${c < 0 ? "−" : "+"} ${LL.say(Math.abs(c))}` : "0"]),
          yTicks: [0, 0.5, 1].map(p => [p, LL.share(p)]), xName: "added to every score",
          yName: "probability of the largest score" });
      LL.svg(fig, w, h, body, open ? "An empty chart: probability of the largest score against a number added to every score."
        : `With ${G[chosen].words}: ${[-r, 0, r].map(c => `${LL.chance(share(chosen, state.scores, c))} at ${LL.say(c)} added`).join(", ")}. ${chosen === "exp" ? "A flat line." : "Not flat."}`);
    },
    sentence(state, { guess }) {
      const { g, scores } = state, said = known(g) ? `${G[g].why[0].toUpperCase()}${G[g].why.slice(1)}. ` : "";
      if (!guess || g === "exp") return `<b>Only the exponential</b> passes all three tests: its line is flat, at ${LL.chance(share("exp", scores, 0))}.`;
      return `${said}<b>Only the exponential</b> passes all three tests.`;
    },
  });
}
