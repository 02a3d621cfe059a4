// Everything is there: put it together and draw it.
"use strict"; {
  const LL = (window.LL ??= {});
  const root = document.documentElement;
  root.classList.remove("plain");

  // Scroll to a question, the lab or the top; focus follows, so that the keyboard goes on from there.
  LL.jump = (scene, smooth = false) => {
    const target = scene === "0" ? document.querySelector(".top")
      : document.getElementById(/^\d$/.test(scene) ? `scene-${scene}` : scene);
    if (!target) return;
    target.scrollIntoView({ behavior: smooth && !LL.still() ? "smooth" : "auto", block: "start" });
    if (scene !== "0") target.focus?.({ preventScroll: true });
  };
  // The address holds the state: links within the page scroll and leave it alone.
  document.addEventListener("click", event => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link || link.hash.includes("=")) return;
    event.preventDefault();
    if (link.dataset.scene) {
      LL.set({ scene: link.dataset.scene });
      LL.jump(link.dataset.scene, true);
      return;
    }
    const target = document.getElementById(link.hash.slice(1));
    target?.scrollIntoView();
    target?.focus({ preventScroll: true });
  });

  LL.mountStrip();
  LL.mountScenes();
  LL.mountPresent?.();
  LL.mountLab?.(document.getElementById("lab"));
  if (LL.state.reveal === 0) document.getElementById("answer").open = false;
  if (LL.state.ui === "embed") root.classList.add("embed");
  const { scene } = LL.state;
  // An address that cannot be drawn, whatever the reason, leaves the page as it was written.
  try { LL.redraw(); } catch (error) {
    console.error(error);
    LL.startOver();
    LL.redraw();
  }
  if (scene !== "0") LL.jump(scene);
  performance.mark("ready");
  root.dataset.ready = "";

  // Scores as numbers; what is no number has no answer.
  const row = scores => {
    if (!Array.isArray(scores) && !ArrayBuffer.isView(scores)) throw new TypeError("Give the scores as a list: [1, 0.5].");
    return Array.from(scores, v => (typeof v === "number" ? v : NaN));
  };
  // What tests and the console call: null where a mapping has no answer.
  window.lastlayer = {
    probabilities: (name, scores, parameters = {}) => LL.probabilities(String(name), row(scores), parameters),
    loss: (name, scores, label, parameters = {}) => LL.loss(String(name), row(scores), label, parameters),
    claims: (scores, label = null, parameters = {}) => LL.claims(row(scores), label, parameters),
  };
}
