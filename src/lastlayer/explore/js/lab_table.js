// Bars and table of the lab: probabilities, loss and gradient of every mapping that is ticked. Pointing at a number shows
// its part of the bars, and the other way round.
"use strict"; {
  const { element } = LL;
  const MANY = 10;

  // What each ticked mapping makes of the scores: the numbers of `lastlayer compare --json`.
  LL.labRows = state => LL.chosen(state).map(name => {
    const point = LL.point(name, state.scores, state.parameters);
    return {
      name, label: LL.labelOf(name, state.parameters), p: point?.p ?? null,
      loss: LL.loss(name, state.scores, state.label, state.parameters),
      gradient: LL.gradient(name, state.scores, state.label, state.parameters),
    };
  });

  // The classes that have a column: all, or of many the largest scores and the true class.
  const shownClasses = (state, all) => {
    const every = state.scores.map((_, i) => i);
    if (all || every.length <= MANY) return every;
    const best = [...every].sort((a, b) => state.scores[b] - state.scores[a]).slice(0, MANY - 1);
    return every.filter(i => best.includes(i) || i === state.label);
  };

  // ---- bars

  const TINTS = [0.32, 0.17, 0.09, 0.04];
  // Bars as SVG text, `width` pixels wide. `ink` and `hue` name colours: variables on the page, values in a file.
  LL.labBars = (rows, width, { ink = "var(--ink)", soft = "var(--soft)", hue = LL.colour, top = 0 } = {}) => {
    const narrow = width < 480, left = narrow ? 0 : 172, high = 26, pitch = narrow ? 50 : 34, wide = width - left - 2;
    const drawn = rows.map((row, place) => {
      const y = top + place * pitch, bar = narrow ? y + 20 : y + 2, colour = hue(row.name);
      const name = LL.markAt(row.name, 8, narrow ? y + 9 : y + 15, 1.1).replace(/fill="[^"]*"/, `fill="${colour}"`)
        + `<text x="22" y="${narrow ? y + 14 : y + 20}" fill="${ink}" font-size="13">${row.label}</text>`;
      return `<g data-mapping="${row.name}">${name}${row.p ? segments(row, left, bar, wide, high, colour, ink) : empty(left, bar, wide, high, colour, soft)}</g>`;
    });
    return { text: drawn.join(""), height: top + rows.length * pitch };
  };

  const segments = (row, left, y, wide, high, colour, ink) => {
    let x = left;
    return row.p.map((p, i) => {
      const length = p * wide, begin = x;
      x += length;
      if (length < 0.25) return "";
      const gap = length > 4 ? 1.5 : 0;
      const text = length > 46 ? `<text x="${(begin + 7).toFixed(1)}" y="${y + 18}" fill="${ink}" font-size="13">${LL.fixed(p)}</text>` : "";
      return `<g data-class="${i}"><rect x="${begin.toFixed(2)}" y="${y}" width="${(length - gap).toFixed(2)}" height="${high}" fill="${colour}" fill-opacity="${TINTS[Math.min(i, TINTS.length - 1)]}" stroke="${colour}" stroke-width="${gap ? 1.5 : 0.5}"/>${text}</g>`;
    }).join("");
  };

  const empty = (left, y, wide, high, colour, soft) =>
    `<rect x="${left}" y="${y}" width="${wide}" height="${high}" fill="none" stroke="${colour}" stroke-dasharray="4 4"/><text x="${left + 9}" y="${y + 18}" fill="${soft}" font-size="13">no answer here</text>`;

  const spoken = rows => rows.map(row => `${row.label}: ${row.p ? row.p.map(p => LL.fixed(p)).join(", ") : "no answer"}`).join("; ");

  // ---- table

  const number = (value, what, row, i = "") =>
    `<td data-what="${what}" data-mapping="${row.name}" data-class="${i}">${LL.say(value)}</td>`;

  const bodyRow = (row, classes) => {
    const head = `<th scope="row">${LL.markIcon(row.name)}${row.label}</th>`;
    if (!row.p) {
      const why = LL.escape(LL.WORDS.mappings[row.name].domain);
      return `<tr>${head}<td class="lab-none" colspan="${2 * classes.length + 1}">no answer: it needs ${why}</td></tr>`;
    }
    const gradient = i => number(row.gradient && row.gradient[i], "gradient", row, i);
    return `<tr>${head}${classes.map(i => number(row.p[i], "probability", row, i)).join("")}${number(row.loss, "loss", row)}${classes.map(gradient).join("")}</tr>`;
  };

  const tableText = (state, rows, classes) => {
    const heads = classes.map(i => `<th scope="col" data-class="${i}">${i === state.label ? `<b>${i}</b> <small>true</small>` : i}</th>`).join("");
    const group = (text, span) => `<th scope="colgroup" colspan="${span}">${text}</th>`;
    return `<thead><tr><td></td>${group("probability of class", classes.length)}<th rowspan="2" scope="col">loss</th>${group("gradient at score", classes.length)}</tr>`
      + `<tr><th scope="col">mapping</th>${heads}${heads}</tr></thead><tbody>${rows.map(row => bodyRow(row, classes)).join("")}</tbody>`;
  };

  // ---- both, linked

  const link = box => {
    let hot = null;
    const show = target => {
      const cell = target?.closest?.("[data-class]"), i = cell?.dataset.class || null;
      const mapping = target?.closest?.("[data-mapping]")?.dataset.mapping ?? null;
      const now = i === null ? null : `${i} ${mapping}`;
      if (now === hot) return;
      hot = now;
      for (const part of box.querySelectorAll("[data-class]")) {
        part.classList.toggle("hot", i !== null && part.dataset.class === i);
        const own = part.closest("[data-mapping]")?.dataset.mapping;
        part.classList.toggle("hottest", i !== null && part.dataset.class === i && own === mapping);
      }
      box.classList.toggle("pointing", i !== null);
    };
    box.addEventListener("pointerover", event => show(event.target));
    box.addEventListener("pointerleave", () => show(null));
  };

  LL.labTable = () => {
    const bars = element("div", { class: "lab-bars" }), table = element("table", { class: "lab-table" }), note = element("p", { class: "lab-note" });
    const scroll = element("div", { class: "lab-scroll", role: "region", "aria-label": "Probabilities, loss and gradient", tabindex: "0" }, table);
    const all = element("input", { type: "checkbox", onchange: () => update(LL.state) });
    const everyClass = element("label", { class: "lab-tick" }, all, "every class in the table");
    const caption = element("figcaption", { class: "lab-note" }), figure = element("figure", { class: "lab-figure" }, caption, bars);
    const box = element("div", { class: "lab-numbers" }, figure, scroll, everyClass, note);
    let width = 640;
    const update = state => {
      const rows = LL.labRows(state);
      const { text, height } = LL.labBars(rows, width);
      bars.innerHTML = rows.length
        ? `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="One bar per mapping, its probabilities. ${spoken(rows)}">${text}</svg>`
        : "<p>Tick a mapping to see it.</p>";
      caption.textContent = `Probabilities at the scores ${LL.list(state.scores)}${LL.beforeMapping(state)}, class 0 leftmost.`;
      table.innerHTML = rows.length ? tableText(state, rows, shownClasses(state, all.checked)) : "";
      everyClass.hidden = state.scores.length <= MANY;
      note.innerHTML = `<span class="lab-sideways">The table scrolls sideways. </span>Loss: how much each mapping is punished if class ${state.label} is the true one, each by its own loss. Gradient: of that loss, in the scores${Object.keys(state.parameters).some(key => key !== "alpha" && key !== "order") ? " as given, before softcap and temperature" : ""}.`;
    };
    link(box);
    // The bars are drawn in pixels of their own width, which is asked for only when it changes: that would lay out the page.
    new ResizeObserver(([entry]) => {
      const now = Math.max(280, Math.round(entry.contentRect.width));
      if (now === width) return;
      width = now;
      update(LL.state);
    }).observe(bars);
    return { box, update };
  };
}
