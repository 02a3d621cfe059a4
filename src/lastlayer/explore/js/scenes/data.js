// 9. Does it matter on real data? Recorded studies of four tables.
"use strict"; {
  const LL = (window.LL ??= {});
  const TITLES = { iris: "iris", wine: "wine", breast_cancer: "breast cancer", digits: "digits" };
  const ORDERED = ["ratio", "softmax", "sparsemax"];
  let table = "digits", metric = "brier", order = [...ORDERED], answered = null;

  const study = () => LL.STUDIES.tables.find(s => s.name === table);
  const percent = v => `${LL.say(v * 100, 3)}\u00a0%`;
  const shown = v => (v === null ? "∞" : metric === "accuracy" ? percent(v) : LL.fixed(v, 3));
  const isKnown = v => v !== null && v !== undefined;
  // Best first; what is infinite last.
  const rank = (mappings, name) => {
    const mean = mappings[name][metric][0];
    return mean === null ? 1e9 : LL.STUDIES.metrics[metric].lower ? mean : -mean;
  };
  const ranked = (mappings, names) => [...names].sort((a, b) => rank(mappings, a) - rank(mappings, b));
  const isWorse = cell => (cell[1] > 0) === LL.STUDIES.metrics[metric].lower;
  const verdictWords = (cell, narrow = false) => {
    if (!cell[4]) return "";
    if (cell[4] === "differs") return isWorse(cell) ? "worse" : "better";
    return { "cannot be told apart": "not told apart", equal: "equal", "not comparable": narrow ? "–" : "not comparable" }[cell[4]];
  };

  // Round numbers inside the ends of an axis.
  const ticks = (least, most) => {
    const step = LL.nice((most - least) / 4) || 1, first = Math.ceil(least / step - 1e-9);
    return Array.from({ length: Math.floor(most / step + 1e-9) - first + 1 },
      (_, i) => Number(((first + i) * step).toPrecision(12)));
  };
  // A row per mapping: its mark at softmax's value plus the difference, full where the study is sure of it, the interval as a
  // line, the value, and the verdict in a word.
  const forest = (fig, t) => {
    const { w, em } = LL.size(fig), { mappings } = study(), names = ranked(mappings, Object.keys(mappings));
    const base = mappings.softmax[metric][0], row = em * (LL.state.ui === "present" ? 1.5 : 1.95), top = em * 2,
      narrow = w < 430, left = em * (narrow ? 7.6 : 8.4), right = w - em * (narrow ? 7.4 : 8.2);
    // None of the metrics is negative, and no accuracy above 1, wherever an interval ends.
    const inside = v => Math.max(0, metric === "accuracy" ? Math.min(1, v) : v);
    const bounds = name => { const [mean, , low, high] = mappings[name][metric];
    return isKnown(low) ? [inside(base + low), inside(base + high)] : [mean, mean]; };
    const ends = names.flatMap(bounds).filter(isKnown), least = Math.min(...ends), most = Math.max(...ends);
    const X = v => left + ((v - least) / (most - least || 1)) * (right - left), h = top + names.length * row + em * 2;
    let body = LL.line(X(base), top - em * 0.4, X(base), h - em * 1.8, "",
      'stroke="var(--ink)" stroke-width="1.5" stroke-dasharray="4 3"')
      + LL.text(Math.max(left, Math.min(right, X(base))), em * 1, `softmax ${shown(base)}`,
        { anchor: X(base) > (left + right) / 2 ? "end" : "start", kind: "strong" });
    if (!narrow) body += LL.text(w, em, "against softmax", { anchor: "end", kind: "soft" });
    names.forEach((name, i) => {
      if (i) body += LL.line(0, top + i * row, w, top + i * row, "grid");
      body += rowOf(name, top + (i + 0.5) * row, { mappings, bounds, X, base, left, right, w, em, t, narrow });
    });
    let free = -Infinity;
    for (const v of ticks(least, most)) {
      const x = X(v);
      if (x < free) continue;
      free = x + em * 4.2;
      body += LL.line(x, h - em * 1.8, x, h - em * 1.5, "axis")
        + LL.text(x, h - em * 0.4, metric === "accuracy" ? percent(v) : LL.say(v), { anchor: "middle", kind: "soft" });
    }
    const words = names.map(name => `${name} ${shown(mappings[name][metric][0])}${mappings[name][metric][4]
      ? `, ${verdictWords(mappings[name][metric])}` : ""}`).join("; ");
    LL.svg(fig, w, h, body, `${LL.STUDIES.metrics[metric].name} on ${TITLES[table]}: ${words}`);
  };
  const rowOf = (name, y, { mappings, bounds, X, base, left, right, w, em, t, narrow }) => {
    const cell = mappings[name][metric], [mean, , low, , verdict] = cell, colour = LL.colour(name), line = y + em * 0.35;
    let body = LL.text(0, line, name, { kind: name === "softmax" || name === "ratio" ? "strong" : "" });
    if (mean === null) body += LL.text(right, line, "∞ →", { anchor: "end", kind: "strong", colour });
    else {
      const [from, to] = bounds(name).map(X);
      if (isKnown(low) && t === 1) body += LL.line(from, y, to, y, "", `stroke="${colour}" stroke-width="3"`);
      body += mark(name, X(LL.mix(base, mean, t)), y, em / 12, verdict && verdict !== "differs");
      const room = em * (shown(mean).length * 0.62 + 0.6), end = Math.max(to, X(mean)) + em * 0.7;
      if (verdict && t === 1) body += end + room < right + em * 0.6 ? LL.text(end, line, shown(mean), { kind: "halo" })
        : LL.text(Math.min(from, X(mean)) - em * 0.7, line, shown(mean), { anchor: "end", kind: "halo" });
    }
    const colours = isWorse(cell) ? "var(--worse)" : "var(--better)";
    return body + LL.text(w, line, verdictWords(cell, narrow), { anchor: "end",
      kind: verdict === "differs" ? "strong" : "soft", colour: verdict === "differs" ? colours : "" });
  };
  const mark = (name, x, y, size, isHollow) => (!isHollow ? LL.mark(name, x, y, size)
    : LL.path(LL.WORDS.marks[name].shape, `transform="translate(${LL.n(x)} ${LL.n(y)}) scale(${size})"
      fill="var(--paper)" stroke="${LL.colour(name)}" stroke-width="2"`));

  // ---- the same in sentences, from the same numbers

  const listed = names => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);
  const withVerdict = (mappings, verdict) => ranked(mappings, Object.keys(mappings)).filter(name =>
    verdictWords(mappings[name][metric]) === verdict);
  const findings = ({ mappings }) => {
    const parts = [["better", "Better than softmax"], ["worse", "Worse than softmax"]]
      .map(([verdict, words]) => [words, withVerdict(mappings, verdict)]).filter(([, names]) => names.length);
    const apart = withVerdict(mappings, "not told apart").filter(name => {
      const [, , low, high] = mappings[name][metric];
      return low > 0 || high < 0;
    });
    const alone = apart.length ? ` The ${apart.length > 1 ? "lines" : "line"} of ${listed(apart)} alone would miss softmax;
      with ${Object.keys(mappings).length - 1} comparisons at once that is not enough.` : "";
    return (parts.length ? parts : [["None is shown to be better or worse", []]]).map(([words, names]) =>
      words + (names.length ? `: ${names.join(", ")}` : "")).join(". ") + `.${alone}`;
  };
  // Over all tables, by the chosen metric.
  const overall = () => {
    const { tables, metrics } = LL.STUDIES, counts = {};
    for (const { mappings } of tables) for (const [name, cells] of Object.entries(mappings)) {
      const verdict = verdictWords(cells[metric]);
      if (verdict === "worse" || verdict === "better") {
        (counts[verdict] ??= {})[name] = (counts[verdict][name] ?? 0) + 1;
      }
    }
    const say = found => Object.entries(found).sort((a, b) => b[1] - a[1]).map(([name, n]) =>
      `${name} on ${n === tables.length ? `all ${n}` : n}`).join(", ");
    const { worse, better } = counts;
    return `Of these ${tables.length} tables, by ${metrics[metric].name}: ${worse ? `worse than softmax are ${say(worse)}`
      : "none is shown to be worse than softmax"}; ${better ? `better are ${say(better)}` : "none is shown to be better"}.`;
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
        Object.entries(LL.STUDIES.metrics).map(([key, m]) => [key, m.name]), metric);
      scene.section.querySelector("[data-general]").textContent = overall();
      forest(fig, t);
    },
    sentence() {
      const { mappings, rows, classes } = study(), { softmax, ratio } = mappings, { name } = LL.STUDIES.metrics[metric];
      const best = ranked(LL.STUDIES.tables.find(s => s.name === "digits").mappings, ORDERED);
      const said = answered && table === "digits" && metric === "brier"
        ? (answered.join() === best.join() ? "Right. " : `The order is ${best.join(", ")}. `) : "";
      const right = `softmax is right <b>${percent(softmax.accuracy[0])}</b> of the time, the ratio <b>${percent(ratio.accuracy[0])}</b>`;
      const both = metric === "accuracy" ? right
        : `${right}; the ${name} is <b>${shown(softmax[metric][0])}</b> and <b>${shown(ratio[metric][0])}</b>`;
      return `${said}On ${TITLES[table]} (${rows} rows, ${classes} classes) ${both}. ${findings(study())}`;
    },
  });
}
