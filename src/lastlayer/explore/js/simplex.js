// Three probabilities as a point in a triangle. Softmax's point can be dragged; paths show what a dial does.
"use strict"; {
  const { element } = LL;
  const ROOT3 = Math.sqrt(3), SIDE = 100, HIGH = SIDE * ROOT3 / 2;
  // Class 0 lower left, class 1 lower right, class 2 on top.
  const place = p => {
    const sum = p[0] + p[1] + p[2];
    return sum > 0 ? [SIDE * (p[1] + p[2] / 2) / sum, HIGH * (1 - p[2] / sum)] : [SIDE / 2, HIGH * 2 / 3];
  };
  const sharesAt = (x, y) => {
    const top = 1 - y / HIGH, right = x / SIDE - top / 2;
    return [1 - top - right, right, top];
  };

  // What a path runs over: the scores and parameters at t from −1 to 1.
  const PATHS = {
    scale: { text: "multiply the scores by 0.1 … 10", at: (s, t) => [s.scores.map(v => v * 10 ** t), s.parameters] },
    temperature: { text: "temperature 10 … 0.1", at: (s, t) => [s.scores, { ...s.parameters, temperature: 10 ** -t }] },
    softcap: { text: "softcap 0.1 … 10", at: (s, t) => [s.scores, { ...s.parameters, softcap: 10 ** t }] },
    alpha: { text: "entmax’s α 1 … 4", at: (s, t) => [s.scores, { ...s.parameters, alpha: 2.5 + 1.5 * t }] },
    none: { text: "no path" },
  };
  const STEPS = 64;

  const pathOf = (name, state, path) => {
    let pen = "M", drawn = "", last = "";
    for (let k = -STEPS / 2; k <= STEPS / 2; k++) {
      const p = LL.probabilities(name, ...path.at(state, 2 * k / STEPS));
      if (!p) { pen = "M"; continue; }
      const point = place(p).map(v => v.toFixed(2)).join(" ");
      if (point !== last) drawn += pen + point;
      [pen, last] = ["L", point];
    }
    return drawn.includes("L") ? `<path class="lab-path" d="${drawn}" stroke="${LL.colour(name)}"/>` : "";
  };

  // ---- dragging

  const LEAST = 0.003;
  // Scores with these softmax probabilities, through softcap and temperature, around the mean of the scores as they are.
  LL.scoresAt = (shares, state) => {
    const { temperature = 1, softcap } = state.parameters;
    const log = shares.map(v => Math.log(Math.max(v, LEAST)) * temperature), middle = log.reduce((a, b) => a + b) / 3;
    const mean = softcap ? 0 : state.scores.reduce((a, b) => a + b) / 3;
    return LL.given(log.map(v => (v - middle + mean) / temperature)).map(v => Math.round(100 * v) / 100);
  };
  const move = (x, y) => {
    const shares = sharesAt(x, y).map(v => Math.max(LEAST, v)), sum = shares.reduce((a, b) => a + b);
    LL.set({ scores: LL.scoresAt(shares.map(v => v / sum), LL.state) });
  };
  const ARROWS = { ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2] };

  const handle = svg => {
    let held = false;
    const here = event => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      move(at.x, at.y);
    };
    svg.addEventListener("pointerdown", event => {
      if (!event.target.closest(".lab-handle")) return;
      held = true;
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
      svg.querySelector(".lab-handle").focus({ preventScroll: true });
    });
    svg.addEventListener("pointermove", event => { if (held) here(event); });
    for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { held = false; });
    svg.addEventListener("keydown", event => {
      const by = ARROWS[event.key];
      if (!by || !event.target.closest(".lab-handle")) return;
      event.preventDefault();
      event.stopPropagation();
      const [x, y] = place(LL.probabilities("softmax", LL.state.scores, LL.state.parameters));
      move(x + by[0], y + by[1]);
    });
  };

  // ---- drawing

  const corner = (x, y, text, anchor) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
  const FRAME = `<path class="lab-triangle" d="M0 ${HIGH}H${SIDE}L${SIDE / 2} 0Z"/>`
    + corner(0, HIGH + 8, "class 0", "middle") + corner(SIDE, HIGH + 8, "class 1", "middle") + corner(SIDE / 2, -3.5, "class 2", "middle");

  const marks = (state, rows) => rows.filter(row => row.p && row.name !== "softmax").map(row => {
    const [x, y] = place(row.p);
    return `<g class="lab-point"><title>${row.label}</title>${LL.markAt(row.name, x.toFixed(2), y.toFixed(2), 0.5)}</g>`;
  }).join("");

  LL.simplex = () => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", `-9 -9 ${SIDE + 18} ${HIGH + 20}`);
    svg.innerHTML = `${FRAME}<g class="lab-paths"></g><g class="lab-others"></g>`
      + `<g class="lab-handle" tabindex="0" role="application" aria-roledescription="point to drag"><circle class="lab-reach" r="9"/><circle class="lab-ring" r="4.4"/>${LL.markAt("softmax", 0, 0, 0.5)}</g>`;
    handle(svg);
    const choice = element("select", { id: "lab-path", onchange: () => update(LL.state) },
      ...Object.entries(PATHS).map(([key, path]) => element("option", { value: key }, path.text)));
    const drawing = element("div", { class: "lab-simplex-drawing" }, svg,
      element("label", { for: "lab-path" }, "Path: "), choice,
      element("p", { class: "lab-note" }, "Each point is one answer: the nearer to a corner, the more probable that class. ", element("span", { class: "lab-drag" }, "Drag the ringed point of softmax, or move it with the arrow keys.")));
    const invitation = element("p", { class: "lab-note" }, "A triangle can show three probabilities. ",
      element("button", { type: "button", onclick: () => LL.set({ scores: [2, 0.5, 1] }) }, "Take [2, 0.5, 1]"));
    const box = element("div", { class: "lab-simplex" }, invitation, drawing);
    const update = state => {
      const three = state.scores.length === 3;
      drawing.hidden = !three;
      invitation.hidden = three;
      if (!three) return;
      const rows = LL.labRows(state), path = PATHS[choice.value], grip = svg.querySelector(".lab-handle");
      const p = LL.probabilities("softmax", state.scores, state.parameters), [x, y] = place(p);
      const names = LL.chosen(state);
      svg.querySelector(".lab-paths").innerHTML = path.at ? (names.length ? names : ["softmax"]).map(name => pathOf(name, state, path)).join("") : "";
      svg.querySelector(".lab-others").innerHTML = marks(state, rows);
      grip.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
      grip.setAttribute("aria-label", `Softmax: class 0 ${LL.fixed(p[0])}, class 1 ${LL.fixed(p[1])}, class 2 ${LL.fixed(p[2])}. Arrow keys move it.`);
    };
    return { box, update };
  };
}
