// 3. Add the same number to every score: whose answer moves?
"use strict"; {
  const LL = (window.LL ??= {});
  const nice = v => { const p = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 3, 5, 10].map(m => m * p).find(m => m >= v * 0.9999999); };
  LL.nice = nice;
  const reach = scores => nice(Math.max(3, 1.5 * Math.max(...scores.map(Math.abs))));
  const added = c => `${c < 0 ? "−" : "+"} ${LL.say(Math.abs(c))}`;
  const answer = (name, scores, c) => LL.probabilities(name, scores.map(v => v + c))?.[LL.top(scores)] ?? null;

  LL.scene("3", {
    right: () => "ratio",
    words: { shift: state => added(state.shift) },
    figure(fig, state, { open, t, scene }) {
      const { w, em } = LL.size(fig), h = Math.min(w * 0.62, em * (LL.state.ui === "present" ? 15 : 26)),
        r = reach(state.scores), at = Math.max(-r, Math.min(r, state.shift));
      Object.assign(scene.section.querySelector("[data-state]"), { min: -r, max: r, step: r / 60 });
      const edge = -Math.min(...state.scores), end = LL.mix(-r, r, t);
      const series = open ? [] : ["softmax", "ratio"].map(name =>
        ({ name, f: c => (c <= end ? answer(name, state.scores, c) : null) }));
      const { body, box, X } = LL.curves(w, h, em, {
        from: -r, to: r, steps: 144, series, at: open ? null : at, right: w < 420 ? 6.2 : 7.2,
          hatches: open || edge <= -r ? [] : [[-r, Math.min(edge, r), LL.colour("ratio")]],
        xTicks: [-r, 0, r].map(c => [c, c ? added(c) : "0"]), yTicks: [0, 0.5, 1].map(p => [p, LL.share(p)]),
          xName: "added to every score", yName: "probability of the largest score",
      });
      const wide = X(Math.min(edge, r)) - box.l > em * 9;
      const note = open || !wide ? "" : LL.text(box.l + em * 0.7, box.b - em * 0.8, "ratio: no answer",
        { kind: "halo strong" });
      LL.svg(fig, w, h, body + note,
        open ? "An empty chart: probability of the largest score against a number added to every score."
        : `Probability of the largest score against the number added. At ${added(at)}: softmax ${LL.chance(answer("softmax", state.scores, at))}, ratio ${LL.chance(answer("ratio", state.scores, at))}. Below ${added(edge)} the ratio has no answer.`);
    },
    sentence(state, { guess }) {
      const { scores, shift } = state, before = answer("ratio", scores, 0), after = answer("ratio", scores, shift);
      const said = !guess ? "" : guess === "ratio" ? "Right. " : "Only the ratio’s. ";
      const moved = after === null ? `At ${added(shift)} a score is negative or all are 0, and the ratio has <b>no answer</b>`
        : before === null || shift === 0 ? `At ${added(shift)} the ratio says <b>${LL.chance(after)}</b>`
          : `At ${added(shift)} the ratio says <b>${LL.chance(after)}</b> instead of ${LL.chance(before)}`;
      return `${said}${moved}. Softmax says <b>${LL.chance(answer("softmax", scores, shift))}</b> wherever you put the zero.`;
    },
  });
}
