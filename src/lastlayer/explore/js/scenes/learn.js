// 7. Gradient descent on the scores: softmax, ratio and hardmax side by side.
"use strict"; {
  const LL = (window.LL ??= {});
  const NAMES = ["softmax", "ratio", "hardmax"];
  let steps = 2, shown = 2;

  // Every mapping's path of scores from the same start; it ends where there is no answer or nothing changes.
  const path = (name, start, label, rate, count) => {
    const points = [start];
    let stopped = "";
    for (let i = 0; i < count; i++) {
      const at = points.at(-1), slope = LL.gradient(name, at, label);
      if (!slope || slope.some(v => !Number.isFinite(v))) { stopped = "no answer"; break; }
      if (slope.every(v => v === 0)) { stopped = "slope 0"; break; }
      points.push(at.map((v, j) => v - rate * slope[j]));
    }
    return { name, points, stopped, last: points.at(-1), steps: points.length - 1 };
  };
  const paths = state => NAMES.map(name => path(name, state.scores, state.label, state.rate, shown));

  const panel = (element, trail, label, low, high) => {
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
      const colour = LL.colour(trail.name), width = isTrue ? 3.4 : 2;
      body += LL.stroke(`M${trail.points.map((_, i) => at(i)).join("L")}`, colour, width, isTrue ? "" : "5 3");
      if (trail.points.length < 14) body += trail.points.map((_, i) =>
        LL.dot(...at(i).split(" ").map(Number), isTrue ? 3.6 : 2.8, `fill="${colour}"`)).join("");
      const [x, y] = at(trail.points.length - 1).split(" ").map(Number);
      if (slope && Math.abs(slope[j]) > 1e-9) body += arrow(x, y,
        Math.max(box.t - em * 0.4, Math.min(box.b + em * 0.4,
        y + Math.sign(slope[j]) * Math.min(em * 4, (Math.abs(slope[j]) / (high - low)) * (box.b - box.t)))), em);
      ends.push({ x, y, words: `x${LL.sub(j)}${isTrue ? " true" : ""}` });
    });
    ends.sort((a, b) => a.y - b.y).forEach((e, i, all) => { e.ty = Math.max(e.y, i ? all[i - 1].ty + em * 1.1 : 0); });
    if (ends.length < 7) body += ends.map(e =>
      LL.text(e.x + em * 0.9, e.ty + em * 0.35, e.words, { kind: "halo" })).join("");
    const path = trail.last.slice(0, 4).map(v => LL.fixed(v, 2)).join(", ");
    LL.svg(element, w, h, body, `${trail.name}, after ${trail.steps} steps: scores ${path}${trail.stopped ? `, ${trail.stopped}` : ""}`);
  };
  const arrow = (x, y, to, em) => {
    const d = Math.sign(to - y), a = em * 0.38;
    if (Math.abs(to - y) < 3) return "";
    return LL.line(x, y, x, to, "", 'stroke="var(--better)" stroke-width="2"')
      + LL.path(`M${LL.n(x)} ${LL.n(to + d * a)}l${LL.n(-a)} ${LL.n(-d * a * 1.6)}h${LL.n(2 * a)}Z`, 'fill="var(--better)"');
  };

  const words = (trail, label) => {
    const slope = LL.gradient(trail.name, trail.last, label), loss = LL.loss(trail.name, trail.last, label);
    const at = `[${trail.last.slice(0, 3).map(v => LL.fixed(v, 2)).join(", ")}${trail.last.length > 3 ? ", …" : ""}]`;
    if (!slope || !Number.isFinite(loss)) return `${at}: <b>no answer</b>${trail.steps ? ` after ${trail.steps === 1 ? "one step" : `${trail.steps} steps`}` : ""}.`;
    if (slope.every(v => v === 0)) return `${at}: loss 0, slope 0: nothing left to learn.`;
    return `${at}: loss ${LL.say(loss, 3)}, slope at the true class <b>${LL.say(slope[label], 3)}</b>`;
  };

  LL.scene("7", {
    words: { rate: state => LL.say(state.rate, 3) },
    right: state => (state.scores.join() === "1,0.5" && state.label === 1 && state.rate === 1 ? "2" : null),
    setup(section, scene) {
      section.querySelector("#trails").innerHTML = NAMES.map(name =>
        `<div class="panel"><h3>${LL.swatch(name)} ${name}</h3><div data-trail="${name}"></div><p data-words="${name}"></p></div>`).join("");
      const go = count => { steps = Math.min(200, steps + count); LL.repaintScene("7"); };
      section.querySelector("#step").onclick = () => go(1);
      section.querySelector("#ten").onclick = () => go(10);
      section.querySelector("#reset").onclick = () => { steps = 0; LL.repaintScene("7"); };
      scene.next = () => go(1);
      section.querySelectorAll("[data-trail]").forEach(element => LL.watch(element, () => LL.repaintScene("7")));
    },
    figure(fig, state, { open, t, scene }) {
      if (t < 1) steps = 2;
      shown = open ? 0 : Math.round(steps * t);
      const trails = paths(state), all = trails.flatMap(t => t.points.flat()), high = Math.max(1, ...all),
        low = Math.min(-0.25 * high, ...all), pad = (high - low) * 0.12;
      for (const trail of trails) {
        panel(scene.section.querySelector(`[data-trail="${trail.name}"]`), trail, state.label, low - pad, high + pad);
        scene.section.querySelector(`[data-words="${trail.name}"]`).innerHTML = words(trail, state.label);
      }
    },
    sentence(state, { guess, scene }) {
      const [softmax, ratio] = paths(state), said = guess && scene.section.querySelector(".right")
        ? (guess === "2" ? "Right. " : "Sooner. ") : "";
      const pull = LL.gradient("softmax", softmax.last, state.label)?.[state.label];
      const fate = ratio.stopped || !LL.gradient("ratio", ratio.last, state.label)
        ? ratio.steps ? `<b>${ratio.steps === 1 ? "One step takes" : `${ratio.steps} steps take`} the ratio to ${LL.list(ratio.last.map(v => Number(v.toFixed(2))).slice(0, 4))}</b>, where it has no answer` : `The ratio has <b>no answer</b> to begin with`
        : shown ? `After ${shown} ${shown === 1 ? "step" : "steps"} the ratio still has an answer: press Step`
          : "Press Step";
      return `${said}${fate.replace("2 steps take", "Two steps take")}. Softmax pulls with <b>${LL.say(pull, 3)}</b> now, and never with more than 1.`;
    },
  });
  LL.repaintScene = name => LL.paint(LL.scenes.get(name));
}
