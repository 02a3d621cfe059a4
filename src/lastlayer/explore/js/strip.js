// The strip of scores: a bar per class to drag, a field to type into, presets, and what softmax and the ratio make
// of them.
"use strict"; {
  const LL = (window.LL ??= {});
  const $ = id => document.getElementById(id);

  const PRESETS = [
    [[1, 0.5], "this question"], [[1, 2], "and then"], [[10, 20], "ten times that"], [[2, -1, 0.5], "a negative score"],
    [[1, -1], "a zero sum"], [[-1, -2], "all negative"], [[4, 3, 2], "three classes"], [[1000, 0], "overflow"],
  ];
  const LADDER = [2, 3, 5, 10, 20, 30, 50];

  // The range of the bars: wide enough for every score, with room below zero to drag into.
  const fit = scores => {
    const most = Math.max(...scores.map(Math.abs)) * 1.25,
      power = 10 ** Math.max(0, Math.floor(Math.log10(most || 1)) - 1);
    let high = LADDER.map(v => v * power).find(v => v >= most);
    if (!high) high = most;
    const low = scores.some(v => v < 0) ? -high : -high / 2;
    const span = high - low, step = span <= 10 ? 0.05 : span <= 20 ? 0.1 : 10 ** Math.floor(Math.log10(span / 100));
    return { low, high, step };
  };

  let range = null, held = false, touched = false, columns = 0;
  const strip = () => $("strip");
  const change = (i, value) => {
    const scores = [...LL.state.scores];
    scores[i] = value;
    touched = true;
    complain("");
    LL.set({ scores });
  };
  const replace = (scores, label) => { touched = true; complain("");
  LL.set({ scores, label: label ?? scores.indexOf(Math.min(...scores)) }); };
  LL.replaceScores = replace;
  // Whether the strip may show the answers: somebody has answered a question, or has begun to play.
  LL.isLive = () => LL.isRevealed("1") || (LL.state.reveal !== 0 && (touched || LL.state.seen.length > 0));

  // ---- built once

  const build = () => {
    strip().innerHTML = `<div class="columns" id="columns"></div><div class="results" id="results"></div><div class="tools">
      <button type="button" id="add" title="one class more" aria-label="one class more">+ class</button>
      <button type="button" id="remove" title="one class fewer" aria-label="one class fewer">− class</button>
      <button type="button" id="undo" title="undo (Ctrl Z)">Undo</button>
      <label>paste a list <input type="text" id="paste" spellcheck="false" autocomplete="off" placeholder="[1, .5]"></label></div>
      <p class="soft" id="reached" hidden></p><p class="wrong" id="paste-wrong" role="alert" hidden></p>`;
    $("presets").innerHTML = PRESETS.map(([scores, words], i) =>
      `<button type="button" data-preset="${i}"><b>${LL.list(scores)}</b><small>${words}</small></button>`).join("");
    $("presets").onclick = event => {
      const button = event.target.closest("[data-preset]");
      if (button) replace(PRESETS[button.dataset.preset][0]);
    };
    $("add").onclick = () => LL.state.scores.length < LL.MOST_CLASSES
      && (touched = true, LL.set({ scores: [...LL.state.scores, 0] }));
    $("remove").onclick = () => LL.state.scores.length > 1
      && (touched = true, LL.set({ scores: LL.state.scores.slice(0, -1) }));
    $("undo").onclick = LL.undo;
    $("paste").onchange = event => take(event.target.value);
    $("paste").onkeydown = event => { if (event.key === "Enter") { event.preventDefault(); take(event.target.value);
    } };
    $("mini").innerHTML = '<button type="button" aria-label="back to the scores"></button>';
    $("mini").firstChild.onclick = () => { strip().scrollIntoView({ behavior: LL.still() ? "auto" : "smooth",
      block: "center" }); strip().querySelector("input").focus({ preventScroll: true }); };
    new IntersectionObserver(([entry]) => { $("mini").hidden = entry.isIntersecting
      || entry.boundingClientRect.top > 0; }).observe(strip());
    LL.watch($("results"), drawResults);
    // A list that is pasted anywhere but into another field.
    document.addEventListener("paste", event => {
      const list = LL.strictScores(event.clipboardData.getData("text")), field = event.target.closest?.("input, textarea");
      if (!list || list.length < 2 || (field && !field.closest(".column"))) return;
      event.preventDefault();
      replace(list);
    });
  };
  const quoted = text => `“${text.length > 60 ? `${text.slice(0, 60)}…` : text}”`;
  const complain = words => {
    $("paste-wrong").hidden = !words;
    $("paste-wrong").textContent = words;
  };
  const take = text => {
    const list = LL.parseScores(text), isWrong = !list && text.trim() !== "";
    $("paste").setAttribute("aria-invalid", String(isWrong));
    complain(!isWrong ? "" : LL.hasDecimalComma(text) ? `${quoted(text)}: write a point for the decimal comma.`
      : `${quoted(text)} is no list of at most ${LL.MOST_CLASSES} numbers. Write [1, .5] or 1 0.5.`);
    if (!list) return;
    $("paste").value = "";
    replace(list);
  };

  const column = i => `<div class="column" data-class="${i}"><div class="well"><div class="zero"></div><div class="fill"></div><div class="grip"></div>
    <input type="range" step="any" aria-label="score of class ${i}"></div>
    <input type="text" inputmode="text" autocomplete="off" aria-label="class ${i}, score as a number">
    <label class="truth" title="the true class"><input type="radio" name="truth" value="${i}" aria-label="class ${i} is the true one">class ${i}</label></div>`;

  const buildColumns = count => {
    columns = count;
    $("columns").innerHTML = Array.from({ length: count }, (_, i) => column(i)).join("");
    $("columns").querySelectorAll(".column").forEach((element, i) => wire(element, i));
  };

  const wire = (element, i) => {
    const well = element.querySelector(".well"), slider = well.querySelector("input"),
      field = element.querySelector("[type=text]");
    const valueAt = event => {
      const box = well.getBoundingClientRect();
      const share = box.width > box.height * 1.6 ? (event.clientX - box.left) / box.width
        : (box.bottom - event.clientY) / box.height;
      const value = range.low + Math.min(1, Math.max(0, share)) * (range.high - range.low);
      return Number((Math.round(value / range.step) * range.step).toPrecision(6));
    };
    well.onpointerdown = event => {
      if (event.button) return;
      well.setPointerCapture(event.pointerId);
      held = true;
      well.classList.add("held");
      slider.focus({ preventScroll: true, focusVisible: false });
      change(i, valueAt(event));
      event.preventDefault();
    };
    well.onpointermove = event => { if (well.hasPointerCapture(event.pointerId)) change(i, valueAt(event)); };
    well.onlostpointercapture = () => {
      held = false;
      well.classList.remove("held");
      LL.redraw();
    };
    slider.oninput = () => change(i, Number(slider.value));
    slider.onkeydown = event => {
      const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!step) return;
      event.preventDefault();
      change(i, Number((LL.state.scores[i] + step * range.step).toPrecision(12)));
    };
    wireField(field, i);
    element.querySelector("[type=radio]").onchange = () => LL.set({ label: i });
  };

  // One number, or a whole list in brackets; anything else is said, and taken back when the field is left.
  const wireField = (field, i) => {
    field.onfocus = () => field.select();
    field.onchange = () => {
      const value = LL.number(field.value), list = /^\s*[[(]/.test(field.value) ? LL.strictScores(field.value) : null;
      const isOne = LL.fits("scores", value);
      complain(isOne || list ? "" : `${quoted(field.value)} is no score. Write a number${/\d,\d/.test(field.value) ? ", with a point for the decimal comma" : " such as −0.5"}.`);
      field.setAttribute("aria-invalid", String(!isOne && !list));
      if (isOne) change(i, value);
      else if (list) replace(list);
    };
    field.onblur = () => {
      if (field.getAttribute("aria-invalid") !== "true") return;
      field.value = LL.score(LL.state.scores[i]);
      field.setAttribute("aria-invalid", "false");
    };
    field.onkeydown = event => { if (event.key === "Enter") field.onchange(); };
  };

  // ---- drawn

  const draw = state => {
    if (columns !== state.scores.length) buildColumns(state.scores.length);
    if (!held || !range) range = fit(state.scores);
    const place = v => Math.min(1, Math.max(0, (v - range.low) / (range.high - range.low)));
    strip().style.setProperty("--zero", place(0));
    $("columns").querySelectorAll(".column").forEach((element, i) => {
      const value = state.scores[i], slider = element.querySelector("[type=range]"),
        field = element.querySelector("[type=text]");
      element.style.setProperty("--from", Math.min(place(0), place(value)));
      element.style.setProperty("--to", Math.max(place(0), place(value)));
      element.style.setProperty("--at", place(value));
      Object.assign(slider, { min: range.low, max: range.high, value });
      slider.setAttribute("aria-valuetext", LL.spoken(LL.score(value)));
      if (document.activeElement !== field || !field.matches(":focus-visible")
        || LL.number(field.value) === value) {
        field.value = LL.score(value);
        field.setAttribute("aria-invalid", "false");
      }
      element.querySelector("[type=radio]").checked = i === state.label;
    });
    $("undo").disabled = !LL.canUndo();
    // A button that is switched off loses the focus: the other one gets it.
    if (document.activeElement === $("remove") && state.scores.length < 2) $("add").focus();
    if (document.activeElement === $("add") && state.scores.length >= LL.MOST_CLASSES) $("remove").focus();
    $("remove").disabled = state.scores.length < 2;
    $("add").disabled = state.scores.length >= LL.MOST_CLASSES;
    $("as-command").textContent = LL.command(state);
    const reached = LL.reached(state);
    $("reached").hidden = reached === state;
    $("reached").textContent = reached === state ? ""
      : `With${LL.beforeMapping(state).slice(1)}, as the lab is set, they become ${some(reached.scores)}. All questions are about these.`;
    drawResults();
  };

  const some = scores => (scores.length > 4 ? LL.list(scores.slice(0, 4)).replace("]", ", …]") : LL.list(scores));
  const drawResults = () => {
    const { scores } = LL.reached(LL.state), live = LL.isLive(), results = $("results"), { w, em } = LL.size(results);
    const rows = ["softmax", "ratio"].map(name =>
      ({ name, p: live ? LL.probabilities(name, scores) : null, why: LL.whyNot(scores), open: !live }));
    const { h, body } = LL.stacked(w, em, rows, { height: 2.1, gap: 0.5 });
    const words = live ? rows.map(r =>
      `${r.name} ${r.p ? r.p.slice(0, 4).map(LL.share).join(" ") : "no answer"}`).join(" · ")
      : "answer question 1 to see the probabilities";
    LL.svg(results, w, h, body, words);
    $("mini").firstChild.innerHTML = `<b>${some(scores)}</b> ${live ? words : ""}`;
    if (live) LL.announce(words);
  };

  // Why the ratio has no answer, in a few words that fit a bar.
  LL.whyNot = scores => {
    if (LL.probabilities("ratio", scores)) return "";
    if (scores.every(v => v === 0)) return "0 / 0";
    if (LL.sumsToZero(scores)) return "division by zero";
    return scores.some(v => v < 0) ? `no answer: a score is negative` : "no answer";
  };

  LL.mountStrip = () => {
    build();
    LL.onchange((state, keys) => { if (["scores", "label", "parameters", "reveal", "seen"].some(key => keys.has(key))
      || !keys.size) draw(state); });
    addEventListener("keydown", event => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z"
        && !event.target.matches?.("input[type=text]")) { event.preventDefault(); LL.undo(); }
    });
  };
}
