// The state of the page, and its short readable form in the address: #v=1&s=1,0.5&y=1&k=0.14&scene=2
"use strict"; {
  const LL = (window.LL ??= {});

  // What a missing key means. A page may be written with other scores: those are in LL.START.
  const CANONICAL = {
    scores: [1, 0.5], label: 1, scale: 0, shift: 0, mappings: ["softmax", "ratio"], scene: "0",
    reveal: null, seen: [], ui: "", g: "", rate: 1, parameters: {},
  };
  const PARAMETERS = { a: "alpha", t: "temperature", cap: "softcap", o: "order" };
  const PLACES = /^([0-9]|lab|claims|claim-[a-z_]+)$/;

  const copy = state => ({
    ...state, scores: [...state.scores], mappings: [...state.mappings], seen: [...state.seen],
      parameters: { ...state.parameters },
  });
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  // ---- reading and writing the hash

  const numbers = text => text.split(",").map(LL.number);

  const READERS = {
    s: (text, state) => { const list = numbers(text); if (LL.areScores(list)) state.scores = list; },
    y: (text, state) => { state.label = LL.number(text); },
    k: (text, state) => { const v = LL.number(text); if (LL.fits("scale", v)) state.scale = v; },
    c: (text, state) => { const v = LL.number(text); if (LL.fits("shift", v)) state.shift = v; },
    m: (text, state) => { state.mappings = text.split(",").filter(name => /^[a-z_]+(:[a-z]+=[\d.]+)*$/.test(name)); },
    scene: (text, state) => { if (PLACES.test(text)) state.scene = text; },
    reveal: (text, state) => { state.reveal = text === "1" ? 1 : text === "0" ? 0 : null; },
    seen: (text, state) => { state.seen = [...new Set(numbers(text).filter(n => n >= 1 && n <= 9
      && n % 1 === 0))].sort((a, b) => a - b); },
    ui: (text, state) => { state.ui = text === "present" || text === "embed" ? text : ""; },
    g: (text, state) => { if (/^(abs|square|relu|softplus|exp|)$/.test(text)) state.g = text; },
    rate: (text, state) => { const v = LL.number(text); if (LL.fits("rate", v)) state.rate = v; },
  };
  // "t=none" takes away what the file was written with.
  for (const [key, name] of Object.entries(PARAMETERS)) {
    READERS[key] = (text, state) => {
      const v = LL.number(text);
      if (text === "none") delete state.parameters[name];
      else if (LL.fits(name, v)) state.parameters[name] = v;
    };
  }
  const WRITERS = {
    k: s => s.scale, c: s => s.shift, m: s => s.mappings.join(","), scene: s => s.scene, reveal: s => s.reveal ?? "",
    seen: s => s.seen.join(","), ui: s => s.ui, g: s => s.g, rate: s => s.rate,
  };

  const sound = state => {
    if (!(state.label >= 0 && state.label < state.scores.length
      && state.label % 1 === 0)) state.label = lowest(state.scores);
    return state;
  };
  const lowest = scores => scores.indexOf(Math.min(...scores));

  // Unknown keys and values that make no sense are ignored; what is missing is as the file was written.
  LL.parseHash = text => {
    const state = copy(LL.defaults);
    const bare = text.replace(/^#/, ""), place = bare.replace(/^scene-/, "");
    if (PLACES.test(place)) return { ...state, scene: place };
    const keys = new URLSearchParams(bare.replaceAll("+", "%2B"));
    // Another vector of scores has another label, if none is named.
    if (keys.has("s") && !keys.has("y")) state.label = NaN;
    for (const [key, value] of keys) if (Object.hasOwn(READERS, key)) READERS[key](value, state);
    return sound(state);
  };

  // Scores and label always; the rest where it is not what a missing key means, here or in another file.
  LL.formatHash = state => {
    const parts = ["v=1", `s=${state.scores.join(",")}`, `y=${state.label}`];
    for (const [key, write] of Object.entries(WRITERS)) {
      const value = String(write(state));
      if (value !== String(write(CANONICAL)) || value !== String(write(LL.defaults))) parts.push(`${key}=${value}`);
    }
    for (const [key, name] of Object.entries(PARAMETERS)) {
      const value = state.parameters[name];
      if (value !== undefined) parts.push(`${key}=${value}`);
      else if (LL.defaults.parameters[name] !== undefined) parts.push(`${key}=none`);
    }
    return `#${parts.join("&").replaceAll("e+", "e")}`;
  };

  // The scores that reach the mapping, through softcap and temperature: those that the questions are about.
  LL.reached = state => {
    const { temperature = 1, softcap } = state.parameters;
    return temperature !== 1 || softcap ? { ...state, scores: LL.activate(state.scores, state.parameters) } : state;
  };
  // The other way round: scores to give so that these are reached, as nearly as the softcap lets them.
  LL.given = reached => {
    const { temperature = 1, softcap } = LL.state.parameters;
    const inverse = v => (softcap ? softcap * Math.atanh(Math.max(-0.999, Math.min(0.999, v / softcap))) : v);
    return temperature === 1 && !softcap ? reached : reached.map(v => Number(inverse(v * temperature).toPrecision(12)));
  };

  LL.defaults = sound({ ...copy(CANONICAL), ...(LL.START ?? {}) });
  LL.startOver = () => { LL.state = copy(LL.defaults); };
  LL.state = LL.parseHash(window.location?.hash ?? "");

  // ---- changing it

  const listeners = [];
  LL.onchange = f => { listeners.push(f); };

  let changed = new Set();
  let frame = 0;
  const request = keys => {
    keys.forEach(key => changed.add(key));
    if (!frame) frame = requestAnimationFrame(LL.redraw);
  };
  // Every listener gets the state and the names of the keys that changed; an empty set means all of them.
  LL.redraw = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    const keys = changed;
    changed = new Set();
    for (const f of listeners) f(LL.state, keys);
    save();
  };

  // Browsers refuse more than about 100 changes of the address in 30 seconds: a drag is written when it rests.
  let timer = 0;
  const save = () => {
    clearTimeout(timer);
    timer = setTimeout(LL.saveHash, 150);
  };
  LL.saveHash = () => {
    clearTimeout(timer);
    const hash = LL.formatHash(LL.state);
    if (hash === window.location.hash) return;
    // A frame without an address of its own, as in a notebook, keeps its state to itself.
    try { history.replaceState(null, "", hash); } catch { LL.saveHash = () => {}; }
  };

  // One step of undo is one gesture: a whole drag, or one key held down.
  const UNDOABLE = ["scores", "label", "scale", "shift", "parameters"];
  const past = [];
  let gesture = "";
  const remember = change => {
    const keys = UNDOABLE.filter(key => key in change && !same(change[key], LL.state[key]));
    if (!keys.length || keys.join() === gesture) return;
    gesture = keys.join();
    past.push(Object.fromEntries(UNDOABLE.map(key => [key, copy(LL.state)[key]])));
    if (past.length > 200) past.shift();
  };
  LL.endGesture = () => { gesture = ""; };
  LL.canUndo = () => past.length > 0;
  LL.undo = () => {
    const before = past.pop();
    if (!before) return;
    LL.endGesture();
    Object.assign(LL.state, before);
    request(UNDOABLE);
  };

  // Merge a change, and redraw in the next frame. A change of the scores alone keeps the label where it can.
  LL.set = change => {
    remember(change);
    const before = LL.state;
    LL.state = sound({ ...before, ...copy({ ...before, ...change }) });
    const keys = Object.keys(LL.state).filter(key => !same(before[key], LL.state[key]));
    if (keys.length) request(keys);
  };

  window.addEventListener?.("hashchange", () => {
    LL.state = LL.parseHash(window.location.hash);
    request(Object.keys(LL.state));
    LL.jump?.(LL.state.scene);
  });
  for (const kind of ["pointerup", "change", "keyup"]) window.addEventListener?.(kind, LL.endGesture, true);
}
