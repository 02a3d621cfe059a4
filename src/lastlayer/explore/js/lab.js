// The lab: every mapping on the scores of the strip, with the dials that come before it.
"use strict"; {
  const { element } = LL;

  const SHOWN = ["scores", "label", "mappings", "parameters"];

  // A drag draws what is in view in every frame; the rest follows when the hand rests, and before it is seen or printed.
  const lazily = parts => {
    const inView = new Map(parts.map(part => [part, true])), stale = new Set();
    const draw = part => {
      stale.delete(part);
      part.update(LL.state);
    };
    const all = () => [...stale].forEach(draw);
    const observer = new IntersectionObserver(entries => {
      for (const { target, isIntersecting } of entries) {
        const part = parts.find(p => p.seen === target);
        inView.set(part, isIntersecting);
        if (isIntersecting && stale.has(part)) draw(part);
      }
    }, { rootMargin: "25% 0px" });
    parts.forEach(part => observer.observe(part.seen));
    window.addEventListener("beforeprint", all);
    let timer = 0;
    LL.onchange((state, keys) => {
      if (keys.size && !SHOWN.some(key => keys.has(key))) return;
      for (const part of parts) {
        stale.add(part);
        if (inView.get(part)) draw(part);
      }
      clearTimeout(timer);
      timer = setTimeout(all, 120);
    });
  };

  LL.mountLab = section => {
    const controls = LL.labControls(), table = LL.labTable(), triangle = LL.simplex(), claims = LL.labClaims(), copies = LL.copyAs();
    const figures = element("div", { class: "lab-figures" }, table.box, triangle.box);
    // Bars take the place that the triangle leaves them.
    LL.onchange(state => figures.classList.toggle("three", state.scores.length === 3));
    section.classList.add("lab");
    section.tabIndex = -1;
    section.append(
      element("h2", {}, "The lab"),
      element("p", {}, "Every mapping on the scores above. Turn the dials, point at a number, drag a point of the triangle."),
      controls.box, figures, copies.box, claims.box,
    );
    lazily([
      { ...controls, seen: controls.box }, { ...table, seen: figures }, { ...triangle, seen: triangle.box },
      { ...claims, seen: claims.box }, { ...copies, seen: copies.box },
    ]);
  };
}
