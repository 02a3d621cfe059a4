// 6. What does the logarithm do?
"use strict"; {
  const LL = (window.LL ??= {});
  // Four decimals, so that the subtraction can be followed; large ones in the page's own digits.
  const four = v => (Math.abs(v) < 1000 ? LL.fixed(v, 4).replace(/\.?0+$/, "") : LL.say(v));
  // What is subtracted, in brackets if it has a sign of its own.
  const taken = v => (v < 0 ? `(${LL.score(v)})` : LL.score(v));
  const exp = v => `e<sup>${LL.score(v)}</sup>`;
  // On the page four terms of a long sum, on the narrow half of a lecture's screen two.
  const sumOf = scores => {
    const most = LL.state.ui === "present" ? 3 : 5;
    return scores.length > most ? `${scores.slice(0, most - 1).map(exp).join(" + ")} + …` : scores.map(exp).join(" + ");
  };

  // log p as a program computes it that takes softmax first and the logarithm after it.
  const naive = (scores, y) => {
    const e = scores.map(Math.exp), sum = e.reduce((a, b) => a + b, 0);
    return Math.log(e[y] / sum);
  };
  const lines = ({ scores, label }) => {
    const whole = LL.logsumexp(scores), loss = LL.loss("softmax", scores, label), y = `<sub>${label}</sub>`;
    const rows = [`−log p${y} = −log( ${exp(scores[label])} / (${sumOf(scores)}) )`,
      `&emsp;= log(${sumOf(scores)}) − ${taken(scores[label])}`,
      `&emsp;= ${four(whole)} − ${taken(scores[label])} = <b>${four(loss)}</b>`];
    if (scores.length === 2) {
      const other = scores[1 - label] - scores[label];
      rows.push(`two classes: = log(1 + e<sup>x${LL.sub(1 - label)} − x${LL.sub(label)}</sup>) = log(1 + ${exp(other)}) = <b>${four(loss)}</b>`);
    }
    const direct = naive(scores, label);
    if (!Number.isFinite(direct)) rows.push(`softmax first, the logarithm after it: ${Math.max(...scores) > 709 ? "e<sup>" + LL.score(Math.max(...scores)) + "</sup> overflows" : "p is rounded to 0"}, loss <b class="no">${Number.isNaN(direct) ? "not a number" : "∞"}</b>`);
    return rows.map(row => `<span class="row">${row}</span>`).join("");
  };

  LL.scene("6", {
    right: () => "inside",
    setup(section) {
      section.querySelector("#truths").onclick = event => {
        const button = event.target.closest("[data-key]");
        if (button) LL.set({ label: Number(button.dataset.key) });
      };
    },
    // The scores and log Σ e^x on one line: the loss is a distance.
    figure(fig, state, { open, t, scene }) {
      const { w, em } = LL.size(fig), { scores, label } = state, whole = LL.logsumexp(scores), h = em * 16;
      const least = Math.min(...scores), span = Math.max(whole - least, 1e-9), pad = span * 0.12, X = v =>
        em * 2 + ((v - least + pad) / (span + 2 * pad)) * (w - em * 4), base = em * 9;
      let body = LL.line(em, base, w - em, base);
      const order = scores.map((v, i) => i).sort((a, b) => scores[a] - scores[b]);
      let last = -Infinity, level = 0;
      for (const i of order) {
        const x = X(scores[i]);
        level = x - last < em * 4 ? (level + 1) % 3 : 0;
        last = x;
        const isTrue = i === label;
        body += LL.dot(x, base, em * 0.45, `fill="${isTrue ? "var(--ink)" : "var(--paper)"}" stroke="var(--ink)" stroke-width="2"`);
        // A long name near an end of the line is moved inwards.
        const words = `x${LL.sub(i)} = ${LL.score(scores[i])}${isTrue ? ", true" : ""}`,
          half = Math.min(w / 2, words.length * em * 0.31);
        if (scores.length < 8 || isTrue) body += LL.text(Math.max(half, Math.min(w - half, x)), base + em * (1.7 + 1.2 * level), words,
          { anchor: "middle", kind: isTrue ? "strong halo" : "halo" });
      }
      if (!open) {
        const from = X(scores[label]), to = LL.mix(from, X(whole), t), y = base - em * 2,
          loss = LL.loss("softmax", scores, label);
        body += LL.line(X(whole), base - em * 4.6, X(whole), base + em * 0.6, "",
          'stroke="var(--neutral)" stroke-width="3"')
          + LL.text(Math.min(X(whole), w - em * 6), base - em * 5.2, `log Σ eˣ = ${four(whole)}`,
            { anchor: "middle", kind: "strong halo", colour: "var(--neutral)" })
          + LL.line(from, y, to, y, "", 'stroke="var(--ink)" stroke-width="3"')
            + LL.line(from, y - em * 0.5, from, base, "", 'stroke="var(--ink)" stroke-width="1.5"')
          + (Math.abs(to - from) > em ? LL.path(`M${LL.n(to)} ${LL.n(y)}l${LL.n(-em * 0.8)} ${LL.n(-em * 0.45)}v${LL.n(em * 0.9)}Z`, 'fill="var(--ink)"') : "")
          + LL.text(Math.max(em * 5, Math.min(w - em * 5, (from + X(whole)) / 2)), y - em * 0.8, `loss ${four(loss)}`,
            { anchor: "middle", kind: "strong halo" })
          + LL.text(w / 2, base + em * 6.6, "The loss is how far the true score is from log Σ eˣ.",
            { anchor: "middle", kind: "soft" });
      }
      const section = scene.section;
      section.classList.toggle("many", scores.length > 3);
      LL.buttons(section.querySelector("#truths"), scores.slice(0, 6).map((v, i) => [i, `class ${i} is true`]), label);
      section.querySelector("#log-lines").innerHTML = lines(state);
      LL.svg(fig, w, h, body, open ? `A line with the scores ${LL.list(scores)}.`
        : `A line with the scores ${LL.list(scores)} and the logarithm of the sum of exponentials, ${four(whole)}. The loss is their distance, ${LL.say(LL.loss("softmax", scores, label))}.`);
    },
    sentence({ scores, label }, { guess }) {
      const loss = LL.loss("softmax", scores, label), said = !guess ? "" : guess === "inside" ? "Right. " : "Nearly: ";
      return `${said}a subtraction, <b>${four(LL.logsumexp(scores))} − ${taken(scores[label])} = ${four(loss)}</b>. The sum stays inside its logarithm.`.replace(/^a/, "A");
    },
  });
}
