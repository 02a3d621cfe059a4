// The lecture hall: one question per screen, driven by keys or a clicker.
// Also the page for handing out, and for printing notes.
"use strict"; {
  const LL = (window.LL ??= {});
  const $ = id => document.getElementById(id);
  const root = document.documentElement;
  const LAST = 9;
  const TITLES = ["Certainty", "Multiply", "Add", "Break it", "Mend it", "Logarithm", "Learn", "Max", "Real data"];
  // What the keys do now: the algebra is part of an answer.
  const keys = () => {
    const scene = LL.scenes.get(String(current())), open = !scene || !LL.isRevealed(scene.name);
    const space = open ? "space: show · " : scene.next ? "space: step · " : "";
    const algebra = !open && scene.section.querySelector(".algebra") ? "A: algebra · " : "";
    return `${space}→ next · ${algebra}S: scores · B: blank · Esc: leave`;
  };

  const isOn = () => LL.state.ui === "present";
  const current = () => (/^\d$/.test(LL.state.scene) ? Number(LL.state.scene) : 0);

  LL.present = on => {
    root.classList.remove("show-picture", "show-algebra", "show-strip");
    $("blank").hidden = true;
    LL.set({ ui: on ? "present" : "", scene: on && !/^[1-9]$/.test(LL.state.scene) ? "0" : LL.state.scene });
    LL.redraw();
    if (on) document.fullscreenEnabled && root.requestFullscreen?.().catch(() => {});
    else {
      document.fullscreenElement && document.exitFullscreen();
      LL.jump(LL.state.scene);
    }
  };
  const go = to => {
    root.classList.remove("show-algebra");
    $("blank").hidden = true;
    LL.set({ scene: String(Math.min(LAST, Math.max(0, to))) });
    LL.redraw();
    document.getElementById(`scene-${current()}`)?.focus({ preventScroll: true });
  };
  const show = () => {
    const n = current(), scene = LL.scenes.get(String(n));
    if (!scene) root.classList.toggle("show-picture");
    else if (!LL.isRevealed(scene.name)) LL.reveal(scene.name);
    else scene.next?.();
  };
  const hide = () => (current() ? LL.conceal(String(current())) : root.classList.remove("show-picture"));

  const algebra = () => {
    if (current() && LL.isRevealed(String(current()))) root.classList.toggle("show-algebra");
  };
  // The question makes room for the strip, and is drawn again in its new size.
  const scores = () => {
    root.classList.toggle("show-strip");
    LL.repaint();
  };
  const fitAbove = () => root.style.setProperty("--strip-height", `${$("strip").offsetHeight}px`);

  const ACTIONS = {
    ArrowRight: () => go(current() + 1), PageDown: () => go(current() + 1), ArrowLeft: () => go(current() - 1),
      PageUp: () => go(current() - 1),
    Home: () => go(0), End: () => go(LAST), " ": show, Backspace: hide, a: algebra, s: scores,
    b: () => { $("blank").hidden = !$("blank").hidden; }, ".": () => { $("blank").hidden = !$("blank").hidden; },
      Escape: () => LL.present(false), p: () => LL.present(false),
  };
  for (let n = 0; n <= LAST; n++) ACTIONS[n] = () => go(n);

  const onKey = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (target.matches?.("input[type=text], select, textarea")) return;
    // A frame of a course page has no lecture of its own.
    if (!isOn()) { if (key === "p" && !LL.state.ui) { event.preventDefault(); LL.present(true); } return; }
    // A button that the keyboard is on is pressed by the space bar; one that was clicked leaves it to the answers.
    if (key === " " && target.matches?.("button:focus-visible, summary:focus-visible")) return;
    // The arrows of a slider or a choice are its own.
    if (target.matches?.("input") && /^Arrow|Home|End|Page/.test(key)) return;
    const act = ACTIONS[key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  const draw = state => {
    const on = state.ui === "present";
    root.classList.toggle("present", on);
    root.classList.toggle("embed", state.ui === "embed");
    root.classList.toggle("one", state.ui === "embed" && /^[1-9]$/.test(state.scene));
    root.classList.toggle("only-lab", state.ui === "embed" && /^(lab|claim)/.test(state.scene));
    for (const { name, section } of LL.scenes.values()) section.classList.toggle("current", name === state.scene);
    root.classList.toggle("title", on && current() === 0);
    $("stage").hidden = !on;
    $("stage-where").textContent = current() ? `${current()} / ${LAST}` : "";
    $("stage-keys").textContent = keys();
    $("contents").querySelectorAll("a").forEach(link => {
      if (link.dataset.scene === state.scene) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  // The keys are shown while the mouse moves.
  let timer = 0;
  const awake = () => {
    root.classList.remove("idle");
    clearTimeout(timer);
    timer = setTimeout(() => root.classList.add("idle"), 4000);
  };

  // Where a reader is, for the address: the question in the upper part of the window, once somebody scrolls by hand.
  const follow = () => {
    let byHand = false;
    const hand = () => { byHand = true; };
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(kind, hand, { passive: true });
    const watcher = new IntersectionObserver(entries => {
      const entry = entries.filter(e => e.isIntersecting).at(-1);
      if (entry && byHand && !LL.state.ui) LL.set({ scene: entry.target.dataset.scene ?? entry.target.id });
    }, { rootMargin: "-30% 0px -60% 0px" });
    document.querySelectorAll(".scene, #lab").forEach(element => watcher.observe(element));
  };

  const printNotes = () => {
    root.classList.add("notes-only");
    addEventListener("afterprint", () => root.classList.remove("notes-only"), { once: true });
    print();
  };

  LL.mountPresent = () => {
    const all = [...TITLES.map((words, i) => [String(i + 1), `${i + 1} ${words}`]), ["lab", "Lab"],
      ["claims", "What people say"]];
    $("contents").innerHTML = all.map(([scene, words]) =>
      `<li><a href="#${/\d/.test(scene) ? `scene-${scene}` : scene}" data-scene="${scene}">${words}</a></li>`).join("")
      + '<li><button type="button" id="reveal-all">Reveal all</button></li><li><button type="button" id="lecture">Lecture mode</button></li>';
    $("reveal-all").onclick = LL.revealAll;
    $("lecture").onclick = $("present").onclick = () => LL.present(true);
    $("handout").onclick = () => { LL.set({ reveal: 0, seen: [], scene: "0" }); LL.redraw(); $("answer").open = false;
    scrollTo(0, 0); };
    $("print-notes").onclick = printNotes;
    addEventListener("keydown", onKey);
    $("blank").onclick = () => { $("blank").hidden = true; };
    addEventListener("mousemove", awake);
    awake();
    new ResizeObserver(fitAbove).observe($("strip"));
    LL.onchange((state, changed) => {
      if (!changed.size || ["ui", "scene", "seen", "reveal"].some(key => changed.has(key))) draw(state);
      $("reveal-all").disabled = state.reveal === 1;
      // The size of type is another one.
      if (changed.has("ui")) LL.repaint();
    });
    follow();
  };
}
