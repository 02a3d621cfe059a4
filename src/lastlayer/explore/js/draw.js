// Drawing: SVG as text. A figure is drawn in CSS pixels at its measured width, so that its words are as large as the page's.
"use strict"; {
  const LL = (window.LL ??= {});

  LL.colour = name => `var(--hue${LL.WORDS.marks[name.split(":")[0]]?.hue ?? 7})`;
  LL.mark = (name, x, y, size = 1) =>
    LL.path(LL.WORDS.marks[name.split(":")[0]].shape, `transform="translate(${n(x)} ${n(y)}) scale(${size})"
    fill="${LL.colour(name)}" class="halo"`);
  // The sign of a mapping in a line of text.
  LL.swatch = name =>
    `<svg viewBox="-6 -6 12 12" class="swatch" aria-hidden="true">${LL.path(LL.WORDS.marks[name].shape, `fill="${LL.colour(name)}"`)}</svg>`;

  const n = v => Math.round(v * 10) / 10;
  LL.n = n;
  LL.escape = text => String(text).replace(/[&<>"]/g,
    c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  // Width of a figure in pixels, and its size of type; measured again only when it changes.
  const sizes = new WeakMap();
  const watcher = new ResizeObserver(entries => {
    for (const { target, contentRect } of entries) {
      if (Math.abs((sizes.get(target)?.w ?? 0) - contentRect.width) < 1) continue;
      sizes.delete(target);
      target.onresized?.();
    }
  });
  LL.size = element => {
    let size = sizes.get(element);
    if (!size) {
      size = { w: Math.max(200, element.clientWidth), em: parseFloat(getComputedStyle(element).fontSize) };
      sizes.set(element, size);
    }
    return size;
  };
  LL.forget = element => sizes.delete(element);
  LL.watch = (element, f) => { element.onresized = f; watcher.observe(element); };

  // `label` is the figure in words: what a screen reader says.
  LL.svg = (element, w, h, body, label) => {
    element.innerHTML = `<svg viewBox="0 0 ${n(w)} ${n(h)}" role="img" aria-label="${LL.escape(LL.spoken(label))}">${body}</svg>`;
  };
  LL.text = (x, y, words, { anchor = "start", kind = "", colour = "" } = {}) =>
    `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}" class="${kind}"${colour ? ` style="fill:${colour}"` : ""}>${words}</text>`;
  LL.line = (x0, y0, x1, y1, kind = "axis", more = "") =>
    `<line x1="${n(x0)}" y1="${n(y0)}" x2="${n(x1)}" y2="${n(y1)}" class="${kind}" ${more}/>`;
  LL.rect = (x, y, w, h, more) =>
    `<rect x="${n(x)}" y="${n(y)}" width="${n(Math.max(0, w))}" height="${n(Math.max(0, h))}" ${more}/>`;
  LL.path = (d, more) => `<path d="${d}" ${more}/>`;
  LL.dot = (x, y, r, more) => `<circle cx="${n(x)}" cy="${n(y)}" r="${n(r)}" ${more}/>`;
  LL.stroke = (d, colour, width, dash = "") => LL.path(d, `fill="none" stroke="${colour}" stroke-width="${n(width)}"
    stroke-linejoin="round" stroke-linecap="round" stroke-dasharray="${dash}"`);
  LL.sub = i => String(i).replace(/\d/g, d => "₀₁₂₃₄₅₆₇₈₉"[d]);

  // Where a mapping has no answer: hatched, so that it is not colour alone.
  let hatches = 0;
  LL.hatch = (x, y, w, h, colour = "var(--soft)") => {
    const id = `hatch${hatches++}`;
    if (w <= 0 || h <= 0) return "";
    const line = LL.line(0, 0, 0, 7, "", `stroke="${colour}" stroke-width="1.6" stroke-opacity=".45"`);
    return `<pattern id="${id}" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">${line}</pattern>`
      + LL.rect(x, y, w, h, `fill="url(#${id})"`);
  };

  const OPACITY = [0.32, 0.17, 0.09, 0.04];
  // One answer as a bar that is split among the classes. rows: [{name, p, why, open}]; `open` is not yet answered.
  LL.stacked = (w, em, rows, { height = 2.6, gap = 0.7, labels = true } = {}) => {
    const left = labels ? em * 7 : 0, width = w - left - 2, tall = em * height, step = tall + em * gap;
    const body = rows.map(({ name, p, why, open }, row) => {
      const y = row * step + 1, middle = y + tall / 2 + em * 0.35, colour = LL.colour(name);
      const title = labels ? LL.mark(name, em * 0.55, y + tall / 2, em / 13)
        + LL.text(em * 1.5, middle, name, { kind: "strong" }) : "";
      const frame = LL.rect(left, y, width, tall, `rx="2" fill="none" stroke="${open ? "var(--rule)" : colour}" stroke-width="1.5"
        stroke-dasharray="${p ? "" : "5 4"}"`);
      if (open) return title + frame
        + LL.text(left + width / 2, middle, "?", { anchor: "middle", kind: "soft strong" });
      if (!p) return title + LL.hatch(left, y, width, tall, colour) + frame
        + LL.text(left + em * 0.8, middle, why && why.length * em * 0.62 < width ? why : "no answer",
        { kind: "halo strong" });
      return title + segments(left, y, width, tall, p, colour, em) + frame;
    });
    return { h: rows.length * step - em * gap + 2, body: body.join("") };
  };
  const segments = (left, y, width, tall, p, colour, em) => {
    let x = left;
    return p.map((share, i) => {
      const w = share * width, at = x, words = LL.share(share);
      x += w;
      const full = `class ${i}: ${words}`;
      const shown = w > em * 0.62 * full.length ? full : w > em * 0.66 * words.length ? words : "";
      return LL.rect(at, y, w, tall, `fill="${colour}" fill-opacity="${OPACITY[Math.min(i, 3)]}"`)
        + (i && w > 0.5 ? LL.line(at, y, at, y + tall, "", `stroke="${colour}" stroke-width="1.5"`) : "")
        + (shown ? LL.text(at + w / 2, y + tall / 2 + em * 0.35, shown, { anchor: "middle", kind: "strong" }) : "");
    }).join("");
  };

  // Curves over an axis. series: [{name, words, f, colour, dash}]; f gives null where there is nothing.
  LL.curves = (w, h, em, { from, to, low = 0, high = 1, xTicks, yTicks, series, at = null, marks = [],
    hatches: bands = [], steps = 160, xName = "", yName = "", right = 6.4 }) => {
    // As much room on the left as the longest number there needs.
    const widest = Math.max(...yTicks.map(([, words]) => String(words).length));
    const box = { l: em * Math.max(3, 0.68 * widest + 0.9), r: w - em * right, t: em * (yName ? 1.9 : 0.7), b: h - em * (xName ? 3.3 : 1.9) };
    const X = v => box.l + ((v - from) / (to - from || 1)) * (box.r - box.l);
    const Y = v => box.b - ((v - low) / (high - low || 1)) * (box.b - box.t);
    let body = bands.map(([a, b, colour]) =>
      LL.hatch(X(Math.max(a, from)), box.t, X(Math.min(b, to)) - X(Math.max(a, from)), box.b - box.t, colour)).join("");
    for (const [v, words] of yTicks) body += LL.line(box.l, Y(v), box.r, Y(v), "grid")
      + LL.text(box.l - em * 0.5, Y(v) + em * 0.35, words, { anchor: "end", kind: "soft" });
    for (const [v, words] of xTicks) body += LL.line(X(v), box.b, X(v), box.b + em * 0.35, "axis")
      + LL.text(X(v), box.b + em * 1.5, words, { anchor: "middle", kind: "soft" });
    body += LL.line(box.l, box.b, box.r, box.b, "axis");
    if (xName) body += LL.text((box.l + box.r) / 2, box.b + em * 2.9, xName, { anchor: "middle", kind: "soft" });
    if (yName) body += LL.text(0, em * 0.9, yName, { kind: "soft" });
    for (const mark of marks) body += markOf(mark, X, box, em, at === null ? -Infinity : X(at));
    if (at !== null) body += LL.line(X(at), box.t, X(at), box.b, "axis", 'stroke-dasharray="2 3"');
    const ends = [];
    for (const s of series) {
      const { path, end } = trace(s.f, from, to, steps, X, Y, box);
      body += LL.stroke(path, s.colour ?? LL.colour(s.name), Math.max(2.6, em * 0.21), s.dash);
      if (end) ends.push({ ...end, s });
      const here = at === null || s.plain ? null : s.f(at);
      if (here !== null && Number.isFinite(here)) body += s.name ? LL.mark(s.name, X(at), Y(here), em / 9.5)
        : LL.dot(X(at), Y(here), em * 0.42, `fill="${s.colour}" class="halo"`);
    }
    return { body: body + endLabels(ends, em, box), X, Y, box };
  };
  const trace = (f, from, to, steps, X, Y, box) => {
    let path = "", pen = "M", end = null;
    for (let i = 0; i <= steps; i++) {
      const v = from + ((to - from) * i) / steps, y = f(v);
      if (y === null || !Number.isFinite(y)) { pen = "M"; continue; }
      const at = Math.min(box.b, Math.max(box.t, Y(y)));
      path += `${pen}${n(X(v))} ${n(at)}`;
      pen = "L";
      end = { x: X(v), y: at };
    }
    return { path, end };
  };
  // Names at the ends of their lines, kept a line of type apart.
  const endLabels = (ends, em, box) => {
    const sorted = ends.filter(e => e.s.words ?? e.s.name).sort((a, b) => a.y - b.y);
    let last = -Infinity;
    for (const e of sorted) { e.ty = Math.max(e.y, last + em * 1.2); last = e.ty; }
    const over = Math.max(0, last - box.b);
    // The name is in ink, which can be read from afar; its mark has the colour.
    return sorted.map(({ x, ty, s }) => {
      const y = ty - over, words = s.words ?? s.name;
      if (!s.name) return LL.text(x + em * 0.6, y + em * 0.35, words, { kind: "strong halo", colour: s.colour });
      return LL.mark(s.name, x + em * 0.95, y, em / 12) + LL.text(x + em * 1.7, y + em * 0.35, words, { kind: "strong halo" });
    }).join("");
  };
  // The words stand right of the mark's line, unless the edge or the line at the slider's place is there.
  const markOf = ({ x, words, colour = "var(--better)", dash = "", low = false }, X, box, em, here) => {
    const at = X(x), isCrossed = here > at && here < at + em * (1 + 0.65 * words.length);
    const left = isCrossed || at > box.l + (box.r - box.l) * 0.68;
    return LL.line(at, box.t, at, box.b, "",
      `stroke="${colour}" stroke-width="${n(Math.max(1.6, em * 0.13))}" stroke-dasharray="${dash}"`)
      + LL.text(at + em * (left ? -0.5 : 0.5), low ? box.b - em * 0.7 : box.t + em * 0.9, words,
        { anchor: left ? "end" : "start", kind: "strong halo", colour });
  };

  // ---- motion

  LL.still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  // Calls f with a share that runs from 0 to 1 and ends at exactly 1; at once where motion is not wanted.
  LL.animate = (ms, f) => {
    if (LL.still() || document.hidden) return f(1);
    const start = performance.now();
    const step = now => {
      const t = Math.min(1, Math.max(0, (now - start) / ms));
      f(1 - (1 - t) ** 3);
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  const mix = (a, b, t) => a + (b - a) * t;
  LL.mix = mix;

  // Said by a screen reader once the hand rests.
  let timer = 0;
  LL.announce = words => {
    clearTimeout(timer);
    timer = setTimeout(() => { document.getElementById("live").textContent = LL.spoken(words); }, 500);
  };
}
