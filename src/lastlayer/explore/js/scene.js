// A scene is one question: predict, reveal, takeaway, algebra.
// Its words are in html/scene_*.html, its figure in js/scenes/.
"use strict"; {
  const LL = (window.LL ??= {});

  // name → {figure(fig, state, view), sentence(state, view), setup(section), right(state)}; view = {open, guess, t}
  LL.scenes = new Map();
  LL.scene = (name, record) => { LL.scenes.set(name, { name, guess: null, t: 1, seen: true, ...record }); };
  // On paper everything is answered, but for a page that is handed out unanswered.
  LL.isRevealed = name => LL.state.reveal === 1 || LL.state.seen.includes(Number(name))
    || (LL.printing && LL.state.reveal !== 0);

  LL.reveal = name => {
    if (LL.isRevealed(name)) return;
    const scene = LL.scenes.get(name);
    LL.set({ seen: [...LL.state.seen, Number(name)].sort((a, b) => a - b) });
    scene.t = 0;
    LL.redraw();
    LL.animate(700, t => { scene.t = t; paint(scene); });
    LL.announce(scene.section.querySelector("[data-say]").textContent);
  };
  // Back to the question, for the next class in the lecture hall.
  LL.conceal = name => {
    const scene = LL.scenes.get(name);
    scene.guess = null;
    scene.restart?.();
    LL.set({ reveal: LL.state.reveal === 1 ? null : LL.state.reveal,
      seen: (LL.state.reveal === 1 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : LL.state.seen).filter(n => n !== Number(name)) });
  };
  LL.revealAll = () => LL.set({ reveal: 1 });

  // Scores in a heading: the first of many.
  LL.brief = (scores, most = 8) => (scores.length > most ? LL.list(scores.slice(0, most)).replace("]", ", …]")
    : LL.list(scores));
  // A probability in a sentence: what is less than 1 never reads as 1.
  LL.chance = p => (p < 1 && LL.say(p) === "1" ? "1.0000" : LL.say(p));

  // A row of buttons of which one is pressed. It is built once per set of keys, so that the focus stays where it is.
  LL.buttons = (element, entries, current) => {
    const keys = entries.map(([key]) => key).join();
    if (element.dataset.keys !== keys) {
      element.dataset.keys = keys;
      element.innerHTML = entries.map(([key, words]) =>
        `<button type="button" data-key="${key}">${words}</button>`).join("");
    }
    for (const button of element.children) button.setAttribute("aria-pressed",
      String(button.dataset.key === String(current)));
  };

  const guess = (scene, value) => { scene.guess = value; if (LL.isRevealed(scene.name)) paint(scene);
  else LL.reveal(scene.name); };

  const mount = scene => {
    const section = (scene.section = document.getElementById(`scene-${scene.name}`));
    scene.fig = section.querySelector("[data-fig]");
    const predict = section.querySelector(".predict");
    predict.addEventListener("click", event => {
      const button = event.target.closest("[data-guess]");
      if (button) guess(scene, button.dataset.guess);
      else if (event.target.closest("[data-show]")) LL.reveal(scene.name);
    });
    section.querySelectorAll("[data-scores]").forEach(button => {
      button.onclick = () => LL.replaceScores(JSON.parse(button.dataset.scores));
    });
    section.querySelectorAll("input[data-state]").forEach(input => {
      input.oninput = () => LL.set({ [input.dataset.state]: Number(input.value) });
    });
    scene.setup?.(section, scene);
    LL.watch(scene.fig, () => paint(scene));
  };
  LL.paint = scene => paint(scene);

  const paint = scene => {
    const { section, fig } = scene, state = LL.reached(LL.state), open = !LL.isRevealed(scene.name);
    const view = { open, guess: scene.guess, t: scene.t, scene };
    section.classList.toggle("answered", !open);
    section.querySelectorAll("[data-answer]").forEach(element => { element.hidden = open; });
    section.querySelectorAll("[data-show]").forEach(element => { element.hidden = !open; });
    section.querySelectorAll("[data-scores-text]").forEach(element => { element.textContent = LL.brief(state.scores); });
    section.querySelectorAll("input[data-state]").forEach(input => {
      input.value = state[input.dataset.state];
      const words = scene.words?.[input.dataset.state]?.(state) ?? LL.say(state[input.dataset.state], 3);
      input.setAttribute("aria-valuetext", LL.spoken(words));
      const output = section.querySelector(`output[data-out="${input.dataset.state}"]`);
      if (output) output.textContent = words;
    });
    const right = open ? null : scene.right?.(state, view) ?? null;
    section.querySelectorAll("[data-guess]").forEach(button => {
      const chosen = button.dataset.guess === scene.guess;
      button.setAttribute("aria-pressed", String(chosen));
      button.classList.toggle("right", right !== null && button.dataset.guess === right);
      button.classList.toggle("wrong", right !== null && chosen && button.dataset.guess !== right);
    });
    scene.figure(fig, state, view);
    section.querySelector("[data-say]").innerHTML = open ? "" : scene.sentence(state, view);
    scene.dirty = false;
  };

  LL.mountScenes = () => {
    const seen = new IntersectionObserver(entries => {
      for (const entry of entries) {
        const scene = LL.scenes.get(entry.target.dataset.scene);
        scene.seen = entry.isIntersecting;
        if (scene.seen && scene.dirty) paint(scene);
      }
    }, { rootMargin: "300px" });
    for (const scene of LL.scenes.values()) {
      mount(scene);
      seen.observe(scene.section);
    }
    // Scenes out of sight are painted when they come into it, so that a drag costs what can be seen.
    LL.onchange((state, keys) => {
      if (keys.size && [...keys].every(key => key === "scene")) return;
      for (const scene of LL.scenes.values()) {
        scene.dirty = true;
        if (scene.seen || !keys.size) paint(scene);
      }
      document.documentElement.classList.toggle("handout", state.reveal === 0);
    });
    matchMedia("print").addEventListener("change", ({ matches }) => {
      LL.printing = matches;
      LL.repaint();
      LL.redraw();
    });
  };
  LL.repaint = () => { for (const scene of LL.scenes.values()) { LL.forget(scene.fig); paint(scene); } };
}
