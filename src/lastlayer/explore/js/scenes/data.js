// 9. Does it matter on real data? Recorded studies of four tables.
"use strict"; {
  const LL = (window.LL ??= {});
  const TITLES = { iris: "iris", wine: "wine", breast_cancer: "breast cancer", digits: "digits" };
  const ORDERED = ["ratio", "softmax", "sparsemax"];
  let table = "digits", metric = "accuracy", order = [...ORDERED], answered = null;

  const study = () => LL.STUDIES.tables.find(s => s.name === table);
  const percent = v => `${LL.say(v * 100, 3)} %`;
  const shown = v => (v === null ? "∞" : metric === "accuracy" ? percent(v) : LL.say(v, 3));
  const truth = () => {
    const { mappings } = LL.STUDIES.tables.find(s => s.name === "digits");
    return [...ORDERED].sort((a, b) => mappings[b].accuracy[0] - mappings[a].accuracy[0]);
  };

  // A row per mapping: a dot at softmax's value plus the difference, its interval as a line, and the verdict in a word.
  const forest = (fig, t) => {
    const { w, em } = LL.size(fig), { mappings } = study(),
      names = Object.keys(mappings).sort((a, b) => rank(mappings, a) - rank(mappings, b)),
      lower = LL.STUDIES.metrics[metric].lower;
    const base = mappings.softmax[metric][0], row = em * (LL.state.ui === "present" ? 1.5 : 1.95), top = em * 2,
      narrow = w < 430, left = em * (narrow ? 7.6 : 8.4), right = w - em * (narrow ? 7.2 : 9.4);
    const ends = names.flatMap(name => { const [mean, , low, high] = mappings[name][metric];
    return [mean, low === null || low === undefined ? null : base + low, high === null || high === undefined ? null
      : base + high]; }).filter(v => v !== null);
    const least = Math.min(...ends), most = Math.max(...ends), X = v =>
      left + ((v - least) / (most - least || 1)) * (right - left);
    const h = top + names.length * row + em * 2;
    let body = LL.line(X(base), top - em * 0.4, X(base), h - em * 1.8, "",
      'stroke="var(--ink)" stroke-width="1.5" stroke-dasharray="4 3"')
      + LL.text(Math.max(left, Math.min(right, X(base))), em * 1, `softmax ${shown(base)}`,
      { anchor: X(base) > (left + right) / 2 ? "end" : "start", kind: "strong" });
    if (!narrow) body += LL.text(w, em, "against softmax", { anchor: "end", kind: "soft" });
    names.forEach((name, i) => {
      const y = top + (i + 0.5) * row, [mean, difference, low, high, verdict] = mappings[name][metric],
        colour = LL.colour(name);
      body += LL.text(0, y + em * 0.35, name, { kind: name === "softmax" || name === "ratio" ? "strong" : "" });
      if (i) body += LL.line(0, y - row / 2, w, y - row / 2, "grid");
      if (mean === null) body += LL.text(right, y + em * 0.35, "∞ →", { anchor: "end", kind: "strong", colour });
      else {
        const at = X(LL.mix(base, mean, t));
        if (low !== null && low !== undefined && t === 1) body += LL.line(X(base + low), y, X(base + high), y, "",
          `stroke="${colour}" stroke-width="3"`);
        body += LL.mark(name, at, y, em / 12);
      }
      body += LL.text(w, y + em * 0.35, verdictWords(verdict, difference, lower, narrow),
        { anchor: "end", kind: verdict === "differs" ? "strong" : "soft", colour: verdict === "differs"
        ? ((difference > 0) === lower ? "var(--worse)" : "var(--better)") : "" });
    });
    for (const v of right - left > em * 8 ? [least, most] : [least]) body += LL.text(X(v), h - em * 0.4, shown(v),
      { anchor: v === least ? "start" : "end", kind: "soft" });
    const words = names.map(name =>
      `${name} ${shown(mappings[name][metric][0])}${mappings[name][metric][4] ? `, ${verdictWords(mappings[name][metric][4], mappings[name][metric][1], lower)}` : ""}`).join("; ");
    LL.svg(fig, w, h, body, `${LL.STUDIES.metrics[metric].name} on ${TITLES[table]}: ${words}`);
  };
  const rank = (mappings, name) => {
    const mean = mappings[name][metric][0];
    return mean === null ? 1e9 : LL.STUDIES.metrics[metric].lower ? mean : -mean;
  };
  const verdictWords = (verdict, difference, lower, narrow = false) => {
    if (!verdict) return "";
    if (verdict === "differs") return (difference > 0) === lower ? "worse" : "better";
    return narrow ? { "cannot be told apart": "no difference", equal: "equal", "not comparable": "–" }[verdict]
      : { "cannot be told apart": "no difference", equal: "equal", "not comparable": "not comparable" }[verdict];
  };

  const list = section => {
    section.querySelector("#order").innerHTML = order.map((name, i) => `<li data-name="${name}">${LL.swatch(name)} <span>${i + 1}. ${name}</span>
      <button type="button" data-move="-1" aria-label="${name} up" ${i ? "" : "disabled"}>↑</button><button type="button" data-move="1" aria-label="${name} down" ${i < 2 ? "" : "disabled"}>↓</button></li>`).join("");
  };
  const move = (section, name, to) => {
    const from = order.indexOf(name);
    if (to < 0 || to > 2 || to === from) return;
    order.splice(from, 1);
    order.splice(to, 0, name);
    list(section);
  };

  LL.scene("9", {
    setup(section, scene) {
      const orders = section.querySelector("#order");
      list(section);
      orders.addEventListener("click", event => {
        const button = event.target.closest("[data-move]");
        if (!button) return;
        const { name } = button.closest("li").dataset, { move: by } = button.dataset;
        move(section, name, order.indexOf(name) + Number(by));
        const again = orders.querySelector(`[data-name="${name}"] [data-move="${by}"]`);
        (again.disabled ? orders.querySelector(`[data-name="${name}"] button:not(:disabled)`) : again).focus();
        LL.announce(order.map((n, i) => `${i + 1}: ${n}`).join(", "));
      });
      orders.addEventListener("pointerdown", event => {
        const item = event.target.closest("li");
        if (!item || event.target.closest("button")) return;
        const { name } = item.dataset;
        const drag = moving => {
          const place = [...orders.children].findIndex(li => moving.clientY < li.getBoundingClientRect().bottom);
          move(section, name, place < 0 ? 2 : place);
          orders.querySelector(`[data-name="${name}"]`).classList.add("held");
        };
        const drop = () => { removeEventListener("pointermove", drag); removeEventListener("pointerup", drop);
        removeEventListener("pointercancel", drop); list(section); };
        item.classList.add("held");
        addEventListener("pointermove", drag);
        addEventListener("pointerup", drop);
        addEventListener("pointercancel", drop);
        event.preventDefault();
      });
      section.querySelector("[data-show]").addEventListener("click", () => { answered = [...order]; });
      section.querySelector("#tables").onclick = event => { const b = event.target.closest("[data-key]");
      if (b) { table = b.dataset.key; LL.paint(scene); } };
      section.querySelector("#metrics").onclick = event => { const b = event.target.closest("[data-key]");
      if (b) { metric = b.dataset.key; LL.paint(scene); } };
    },
    figure(fig, state, { open, t, scene }) {
      scene.section.querySelector(".predict").hidden = !open;
      if (open) {
        const { w, em } = LL.size(fig), h = em * 13;
        return LL.svg(fig, w, h, ORDERED.map((name, i) =>
          LL.line(em * 8, em * (2.5 + 3.4 * i), w - em, em * (2.5 + 3.4 * i), "grid")
          + LL.text(0, em * (2.85 + 3.4 * i), name, { kind: "strong" })
          + LL.text((w + em * 8) / 2, em * (2.85 + 3.4 * i), "?", { kind: "strong soft" })).join(""),
          "Three empty lines: ratio, softmax, sparsemax.");
      }
      LL.buttons(scene.section.querySelector("#tables"), Object.entries(TITLES), table);
      LL.buttons(scene.section.querySelector("#metrics"),
        Object.entries(LL.STUDIES.metrics).map(([key, m]) => [key, m.name]).sort((a, b) =>
        (a[0] === "accuracy" ? -1 : b[0] === "accuracy" ? 1 : 0)), metric);
      forest(fig, t);
    },
    sentence() {
      const { mappings, rows, classes } = study(), { name, lower } = LL.STUDIES.metrics[metric];
      const worse = Object.keys(mappings).filter(m => mappings[m][metric][4] === "differs"
        && (mappings[m][metric][1] > 0) === lower);
      const said = answered && table === "digits" && metric === "accuracy"
        ? (answered.join() === truth().join() ? "Right. " : `The order is ${truth().join(", ")}. `) : "";
      const both = metric === "accuracy"
        ? `softmax is right <b>${shown(mappings.softmax.accuracy[0])}</b> of the time, the ratio <b>${shown(mappings.ratio.accuracy[0])}</b>`
        : `softmax has a ${name} of <b>${shown(mappings.softmax[metric][0])}</b>, the ratio <b>${shown(mappings.ratio[metric][0])}</b>`;
      const others = worse.length ? `Worse than softmax: ${worse.join(", ")}`
        : "None differs from softmax beyond doubt";
      return `${said}On ${TITLES[table]} (${rows} rows, ${classes} classes) ${both}. ${others}.`;
    },
  });
}
