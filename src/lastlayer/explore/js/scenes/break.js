// 4. What does the ratio make of negative scores, or of a zero sum?
"use strict"; {
  const LL = (window.LL ??= {});
  const EXAMPLE = [2, -1, 0.5];

  const isBroken = scores => scores.some(v => v < 0) || LL.sumsToZero(scores);
  // The question's scores until somebody breaks the ratio with scores of their own.
  const shown = state => (isBroken(state.scores) ? state.scores : EXAMPLE);
  const total = scores => scores.reduce((a, b) => a + b, 0);
  const divided = scores => (LL.sumsToZero(scores) ? null : scores.map(v => v / total(scores)));
  // The class that the question asks about, and what the division gives it.
  const asked = scores => scores.indexOf(Math.min(...scores));
  const right = scores => {
    const shares = divided(scores), share = shares?.[asked(scores)];
    return share < 0 ? "negative" : shares?.some(v => v < share) ? "most" : null;
  };

  // Shares as bars from zero; the band from 0 to 1 is where probabilities live.
  const panel = (x, w, h, em, name, words, shares, t) => {
    const top = em * 2.2, base = h - em * 2.2, low = -1, high = 1.5, Y = v =>
      base - ((Math.max(low, Math.min(high, v)) - low) / (high - low)) * (base - top);
    let body = LL.mark(name, x + em * 0.5, em * 0.75, em / 13)
      + LL.text(x + em * 1.4, em * 1.1, words, { kind: "strong" })
      + LL.rect(x, Y(1), w, Y(0) - Y(1), 'fill="var(--band)" fill-opacity=".7"')
      + LL.text(x + w - em * 0.3, Y(1) - em * 0.35, "1", { anchor: "end", kind: "soft" })
        + LL.line(x, Y(0), x + w, Y(0));
    const step = w / (shares?.length || 3);
    if (!shares) return body + LL.text(x + w / 2, Y(0.5) + em * 0.35, "÷ 0", { anchor: "middle", kind: "strong" });
    shares.forEach((share, i) => {
      const v = share * t, y = Y(Math.max(v, 0)), tall = Math.abs(Y(v) - Y(0)), bad = share < 0 || share > 1,
        at = x + step * (i + 0.5);
      const words = Math.abs(share) >= 1000 ? LL.say(share, 2) : LL.fixed(share, 2);
      const over = v > high || v < low ? (v > 0 ? "▲ " : "▼ ") : "";
      body += LL.rect(at - step * 0.32, y, step * 0.64, tall, `fill="${LL.colour(name)}" fill-opacity="${bad ? 0.75 : 0.3}"
        stroke="${LL.colour(name)}" stroke-width="1.5"`)
        + (t < 1 ? "" : LL.text(at, share < 0 ? Math.min(Y(v) + em * 1.15, base + em * 0.4) : y - em * 0.4,
          over + words, { anchor: "middle", kind: "strong halo" }))
        + LL.text(at, h - em * 0.4, step > em * 4.2 ? `class ${i}` : i, { anchor: "middle", kind: "soft" });
    });
    return body;
  };

  LL.scene("4", {
    right: state => right(shown(state)),
    figure(fig, state, { open, t, scene }) {
      const { w, em } = LL.size(fig), h = Math.min(w * 0.6, em * (LL.state.ui === "present" ? 17 : 24)),
        half = (w - em * 2) / 2, scores = shown(state), i = asked(scores);
      scene.section.querySelector("[data-broken]").textContent = LL.brief(scores);
      scene.section.querySelector("[data-asked]").textContent = `class ${i}, with its ${LL.score(scores[i])},`;
      const ratio = open ? null : divided(scores), softmax = open ? null : LL.probabilities("softmax", scores),
        few = p => p?.slice(0, Math.max(3, Math.min(6, Math.floor(half / (em * 3.6)))));
      const empty = open ? LL.text(half / 2, h / 2, "?", { anchor: "middle", kind: "strong soft" })
        + LL.text(half * 1.5 + em * 2, h / 2, "?", { anchor: "middle", kind: "strong soft" }) : "";
      const body = open ? panel(0, half, h, em, "ratio", "x / Σx", [], t)
        + panel(half + em * 2, half, h, em, "softmax", "softmax", [], t) + empty
        : panel(0, half, h, em, "ratio", "x / Σx", few(ratio), t)
          + panel(half + em * 2, half, h, em, "softmax", "softmax", few(softmax), t);
      LL.svg(fig, w, h, body, open ? "Two empty charts of shares, for the ratio and for softmax."
        : `Dividing by the sum: ${ratio ? ratio.map(v => LL.fixed(v, 2)).join(", ") : "a division by zero"}. Softmax: ${softmax.map(LL.share).join(", ")}.`);
    },
    sentence(state, { guess }) {
      const scores = shown(state), shares = divided(scores), truth = right(scores);
      const said = guess && truth ? (guess === truth ? "Right. " : truth === "most" ? "No, the largest one. " : "Worse. ") : "";
      if (!shares) return `${LL.brief(scores)} sum to <b>0</b>, and the ratio divides by it.`;
      const first = shares.slice(0, 4).map(v => LL.fixed(v, 2)).join(", ") + (shares.length > 4 ? ", …" : "");
      if (shares.every(v => v >= 0)) {
        const order = scores.every(v => v === scores[0]) ? `: <b>${first}</b>, as if nothing were wrong`
          : `, <b>in the reverse order</b>: the smallest score gets the most`;
        return `${said}Dividing by ${LL.say(total(scores))} leaves no share negative${order}. Nobody is warned.`;
      }
      const worst = Math.max(...shares.map(Math.abs)) > 10 ? " Close to a zero sum they are huge." : "";
      return `${said}Dividing by the sum gives <b>${first}</b>${shares.length > 4 ? "" : "."} They sum to one, but they are no probabilities.${worst}`;
    },
  });
}
