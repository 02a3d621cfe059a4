// 1. Who is more certain?
"use strict"; {
  const LL = (window.LL ??= {});
  const top = scores => scores.indexOf(Math.max(...scores));
  LL.top = top;

  // As the claim "sharper" says it: probabilities that are both nearly 1 would not.
  const winnerOf = scores => {
    if (scores.every(v => v === scores[0])) return "same";
    const turn = LL.turning(scores);
    return turn === null || turn > 1 + 1e-9 ? "ratio" : turn < 1 - 1e-9 ? "softmax" : "same";
  };
  const state2 = scores => {
    const softmax = LL.probabilities("softmax", scores), ratio = LL.probabilities("ratio", scores), i = top(scores);
    return { softmax, ratio, i, winner: ratio && winnerOf(scores) };
  };

  LL.scene("1", {
    right: state => state2(state.scores).winner,
    figure(fig, state, { open, t }) {
      const { w, em } = LL.size(fig), even = 1 / state.scores.length;
      const rows = ["softmax", "ratio"].map(name => {
        const p = LL.probabilities(name, state.scores);
        return { name, p: open || !p ? null : p.map(v => LL.mix(even, v, t)), why: LL.whyNot(state.scores), open };
      });
      const { h, body } = LL.stacked(w, em, rows, LL.state.ui === "present" ? { height: 5.5, gap: 1.6 }
        : { height: 3.6, gap: 1.1 });
      LL.svg(fig, w, h, body, open ? "Two bars, still empty: softmax and the ratio."
        : rows.map(r => `${r.name}: ${r.p ? r.p.map(LL.share).join(", ") : `no answer, ${r.why}`}`).join("; "));
    },
    sentence(state, { guess }) {
      const { softmax, ratio, i, winner } = state2(state.scores), of = `class ${i}`;
      if (!winner) return `Softmax gives ${of} <b>${LL.chance(softmax[i])}</b>. The ratio has <b>no answer</b> here: ${LL.whyNot(state.scores).replace("no answer: ", "")}.`;
      const numbers = `Softmax gives ${of} <b>${LL.chance(softmax[i])}</b>, the ratio <b>${LL.chance(ratio[i])}</b>`;
      const said = !guess ? "" : guess === winner ? "Right. " : "Not here. ";
      return winner === "same" ? `${said}${numbers}: the same.`
        : `${said}${numbers}: <b>${winner === "ratio" ? "the ratio" : winner}</b> is the more certain of the two${LL.say(softmax[i]) === LL.say(ratio[i]) ? ", by less than these digits show" : ""}.`;
    },
  });
}
