// 7. Gradient descent on the scores: softmax, ratio and hardmax side by side.
"use strict"; {
  const LL = (window.LL ??= {});
  const NAMES = ["softmax", "ratio", "hardmax"];
  const MOST = 200;
  // Nobody's steps are taken for them: the paths begin where the scores are.
  let steps = 0, shown = 0;

  // What keeps a mapping from another step; empty where nothing does.
  const trouble = (name, at, label) => {
    const loss = LL.loss(name, at, label);
    if (!LL.probabilities(name, at) || loss === null) return "no answer";
    const slope = LL.gradient(name, at, label);
    if (loss === Infinity || !slope || slope.some(v => !Number.isFinite(v))) return "infinite loss";
    return slope.every(v => v === 0) ? "slope 0" : "";
  };
  // A mapping's path of scores, step by step until there is trouble.
  const path = (name, start, label, rate, count) => {
    const points = [start];
    let stopped = trouble(name, start, label);
    while (!stopped && points.length <= count) {
      const slope = LL.gradient(name, points.at(-1), label);
      points.push(points.at(-1).map((v, j) => v - rate * slope[j]));
      stopped = trouble(name, points.at(-1), label);
    }
    return { name, points, stopped, last: points.at(-1), steps: points.length - 1 };
  };
  const paths = state => NAMES.map(name => path(name, state.scores, state.label, state.rate, shown));
  // The ratio's path to its end.
  const fall = state => path("ratio", state.scores, state.label, state.rate, MOST);

  const panel = (element, trail, label, low, high, open) => {
    const { w, em } = LL.size(element), h = Math.min(w * 0.78, em * (LL.state.ui === "present" ? 9.2 : 17)),
      box = { l: em * 1.6, r: w - em * 4.2, t: em * 0.8, b: h - em * 2 };
    const most = Math.max(2, shown), X = i => box.l + (i / most) * (box.r - box.l), Y = v =>
      box.b - ((v - low) / (high - low)) * (box.b - box.t);
    let body = trail.name === "ratio" && low < 0
      ? LL.hatch(box.l, Y(0), box.r - box.l, box.b - Y(0), LL.colour("ratio")) : "";
    body += LL.line(box.l, Y(0), box.r, Y(0), "axis")
      + LL.text(box.l - em * 0.4, Y(0) + em * 0.35, "0", { anchor: "end", kind: "soft" });
    for (const i of [...new Set([0, Math.ceil(most / 2), most])]) body += LL.text(X(i), box.b + em * 1.4, i,
      { anchor: "middle", kind: "soft" });
    const slope = LL.gradient(trail.name, trail.last, label), ends = [];
    trail.points[0].forEach((_, j) => {
      const isTrue = j === label, at = i =>
        `${LL.n(X(i))} ${LL.n(Y(Math.max(low, Math.min(high, trail.points[i][j]))))}`;
      const colour = LL.colour(trail.name), width = Math.max(isTrue ? 3.4 : 2, em * (isTrue ? 0.18 : 0.125));
      body += LL.stroke(`M${trail.points.map((_, i) => at(i)).join("L")}`, colour, width, isTrue ? "" : "5 3");
      if (trail.points.length < 14) body += trail.points.map((_, i) =>
        LL.dot(...at(i).split(" ").map(Number), isTrue ? 3.6 : 2.8, `fill="${colour}"`)).join("");
      const [x, y] = at(trail.points.length - 1).split(" ").map(Number);
      if (!open && slope && Math.abs(slope[j]) > 1e-9) body += arrow(x, y,
        Math.max(box.t - em * 0.4, Math.min(box.b + em * 0.4,
        y + Math.sign(slope[j]) * Math.min(em * 4, (Math.abs(slope[j]) / (high - low)) * (box.b - box.t)))), em);
      ends.push({ x, y, words: `x${LL.sub(j)}${isTrue ? " true" : ""}` });
    });
    ends.sort((a, b) => a.y - b.y).forEach((e, i, all) => { e.ty = Math.max(e.y, i ? all[i - 1].ty + em * 1.1 : 0); });
    if (ends.length * em * 1.1 < box.b - box.t) body += ends.map(e =>
      LL.text(e.x + em * 0.9, e.ty + em * 0.35, e.words, { kind: "halo" })).join("");
    LL.svg(element, w, h, body, `${trail.name}, after ${trail.steps} steps: scores ${list(trail.last)}${trail.stopped ? `, ${trail.stopped}` : ""}`);
  };
  const arrow = (x, y, to, em) => {
    const d = Math.sign(to - y), a = em * 0.38;
    if (Math.abs(to - y) < 3) return "";
    return LL.line(x, y, x, to, "", 'stroke="var(--better)" stroke-width="2"')
      + LL.path(`M${LL.n(x)} ${LL.n(to + d * a)}l${LL.n(-a)} ${LL.n(-d * a * 1.6)}h${LL.n(2 * a)}Z`, 'fill="var(--better)"');
  };

  // Two places, and more where a negative score would read as 0.
  const place = v => (v < 0 && v > -0.005 ? LL.say(v, 2) : Math.abs(v) < 100 ? LL.fixed(v, 2) : LL.score(v));
  const list = scores => `[${scores.slice(0, 4).map(place).join(", ")}${scores.length > 4 ? ", …" : ""}]`;
  const counted = (n, verb = "") => (n === 1 ? `one step${verb && ` ${verb}s`}`
    : `${n === 2 ? "two" : n} steps${verb && ` ${verb}`}`);
  const capital = text => text[0].toUpperCase() + text.slice(1);

  // Before the answer only what somebody's own steps have shown: no loss, no slope.
  const words = ({ name, last, stopped, steps: n }, label, open) => {
    const at = list(last), after = n ? ` after ${counted(n)}` : "";
    if (open && !(n && stopped)) return at;
    if (stopped === "no answer") return `${at}: <b>no answer</b>${after}.`;
    if (stopped === "infinite loss") return `${at}: <b>loss ∞</b>${after}, no slope to follow.`;
    const loss = LL.loss(name, last, label), slope = LL.gradient(name, last, label);
    if (stopped) return `${at}: loss ${LL.say(loss, 3)}, slope 0: nothing left to learn.`;
    return `${at}: loss ${LL.say(loss, 3)}, slope at x${LL.sub(label)} <b>${LL.say(slope[label], 3)}</b>`;
  };

  // What becomes of the ratio, whether or not somebody has taken the steps.
  const fate = ({ steps: n, stopped, last }, rate) => {
    const of = rate === 1 ? "" : ` of size ${LL.say(rate, 3)}`, to = `the ratio to <b>${list(last)}</b>`;
    const taken = capital(counted(n, "take")).replace(/ step(s?)/, ` step$1${of}`);
    if (!stopped) return `In ${MOST} steps${of} the ratio has an answer throughout`;
    if (stopped === "slope 0") return "The ratio has nothing to learn here";
    if (stopped === "no answer") return n ? `${taken} ${to}, where it has <b>no answer</b>`
      : "The ratio has <b>no answer</b> to begin with";
    return n ? `${taken} ${to}, where its loss is <b>infinite</b>`
      : "The ratio gives the true class 0: its loss is <b>infinite</b> to begin with";
  };

  LL.scene("7", {
    words: { rate: state => LL.say(state.rate, 3) },
    right(state) {
      const { steps: n, stopped } = fall(state);
      return stopped !== "no answer" ? null : n === 2 ? "2" : n >= 50 ? "100" : null;
    },
    setup(section, scene) {
      section.querySelector("#trails").innerHTML = NAMES.map(name =>
        `<div class="panel"><h3>${LL.swatch(name)} ${name}</h3><div data-trail="${name}"></div><p data-words="${name}"></p></div>`).join("");
      const go = count => { steps = Math.min(MOST, steps + count); LL.repaintScene("7"); };
      section.querySelector("#step").onclick = () => go(1);
      section.querySelector("#ten").onclick = () => go(10);
      section.querySelector("#reset").onclick = () => { steps = 0; LL.repaintScene("7"); };
      scene.next = () => go(1);
      scene.restart = () => { steps = 0; };
      section.querySelectorAll("[data-trail]").forEach(element => LL.watch(element, () => LL.repaintScene("7")));
    },
    figure(fig, state, { open, scene }) {
      // Paper has no button: an answered page shows the ratio's fall, a page handed out only the start.
      shown = !LL.printing ? steps : open ? 0 : Math.max(steps, Math.min(10, fall(state).steps));
      const trails = paths(state), all = trails.flatMap(t => t.points.flat()), high = Math.max(1, ...all),
        low = Math.min(-0.25 * high, ...all), pad = (high - low) * 0.12;
      for (const trail of trails) {
        panel(scene.section.querySelector(`[data-trail="${trail.name}"]`), trail, state.label, low - pad, high + pad, open);
        scene.section.querySelector(`[data-words="${trail.name}"]`).innerHTML = words(trail, state.label, open);
      }
    },
    sentence(state, { guess }) {
      const [softmax] = paths(state), end = fall(state), truth = this.right(state);
      const said = !guess || !truth ? "" : guess === truth ? "Right. " : guess === "2" ? "Later. " : "Sooner. ";
      const pull = LL.gradient("softmax", softmax.last, state.label)?.[state.label];
      // The lecture hall has its own hint.
      const more = shown < end.steps && state.ui !== "present" ? " Press Step to see it." : "";
      return `${said}${fate(end, state.rate)}. Softmax pulls with <b>${LL.say(pull, 3)}</b> now, and never with more than 1.${more}`;
    },
  });
  LL.repaintScene = name => LL.paint(LL.scenes.get(name));
}
