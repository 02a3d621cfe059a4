// 2. By how much must the scores grow until softmax is the more certain one?
"use strict"; {
  const LL = (window.LL ??= {});
  let guessed = null;

  const reach = turn => (turn !== null && Number.isFinite(turn) && (turn > 9 || turn < 0.11)
    ? Math.min(3, Math.ceil(Math.abs(Math.log10(turn)) + 0.2)) : 1);
  const times = (scores, k) => scores.map(v => v * 10 ** k);
  const factor = k => `× ${LL.say(10 ** k, 3)}`;
  const answer = (name, scores, k) => LL.probabilities(name, times(scores, k))?.[LL.top(scores)] ?? null;

  // Only where the ratio has an answer is there a factor at which both agree.
  const turning = scores => (LL.probabilities("ratio", scores) ? LL.turning(scores) : null);

  LL.scene("2", {
    words: { scale: state => factor(state.scale) },
    setup(section) {
      section.querySelector("[data-show]").addEventListener("click", () => { guessed = LL.state.scale; });
    },
    figure(fig, state, { open, t, scene }) {
      const { w, em } = LL.size(fig), h = Math.min(w * 0.62, em * (LL.state.ui === "present" ? 15 : 26)),
        turn = turning(state.scores), r = reach(turn);
      scene.section.querySelector("[data-state]").min = -r;
      scene.section.querySelector("[data-state]").max = r;
      const at = Math.max(-r, Math.min(r, state.scale)), marks = [];
      if (open && !LL.printing) marks.push({ x: at, words: `my guess ${factor(at)}`, colour: "var(--ink)",
        dash: "5 4" });
      if (!open) {
        if (guessed !== null) marks.push({ x: guessed, words: `guess ${factor(guessed)}`, colour: "var(--soft)",
          dash: "5 4", low: true });
        if (turn !== null && Math.abs(Math.log10(turn)) <= r) marks.push({ x: LL.mix(guessed ?? 0, Math.log10(turn), t),
          words: factor(Math.log10(turn)) });
      }
      const end = LL.mix(-r, r, t);
      const series = open ? [] : ["softmax", "ratio"].map(name =>
        ({ name, f: k => (k <= end ? answer(name, state.scores, k) : null) }));
      const ticks = Array.from({ length: 2 * r + 1 }, (_, i) => i - r);
      const { body } = LL.curves(w, h, em, {
        from: -r, to: r, steps: 100, xTicks: ticks.map(k => [k, `×\u00a0${LL.say(10 ** k)}`]),
          yTicks: [0, 0.5, 1].map(p => [p, LL.share(p)]), series, marks, at: open ? null : at,
          right: w < 420 ? 6.2 : 7.2,
        xName: "all scores times this factor", yName: "probability of the largest score",
      });
      LL.svg(fig, w, h, body, open ? "An empty chart: probability of the largest score against a factor from a tenth to ten."
        : `Probability of the largest score against the factor. At ${factor(at)}: softmax ${LL.chance(answer("softmax", state.scores, at))}, ratio ${LL.chance(answer("ratio", state.scores, at))}. ${turn ? `They agree at ${factor(Math.log10(turn))}.` : "They do not cross."}`);
    },
    sentence(state) {
      const turn = turning(state.scores), at = state.scale, ratio = answer("ratio", state.scores, at);
      const here = `At ${factor(at)} softmax gives <b>${LL.chance(answer("softmax", state.scores, at))}</b>`;
      if (ratio === null) return `${here}. The ratio has no answer at any factor: ${LL.whyNot(state.scores).replace("no answer: ", "")}.`;
      const both = `${here}, the ratio <b>${LL.chance(ratio)}</b>, as at every factor.`;
      if (turn === null || !Number.isFinite(turn)) return `${both} They do not change places.`;
      const said = guessed === null ? "" : `You said ${factor(guessed)}. `;
      return `${said}They agree at <b>× ${LL.say(turn)}</b>. ${both}`;
    },
  });
}
