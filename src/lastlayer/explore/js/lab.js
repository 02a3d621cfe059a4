// The lab: every mapping on the scores of the strip, with the dials that come before it.
"use strict"; {
  const { element } = LL;

  LL.mountLab = section => {
    const controls = LL.labControls(), table = LL.labTable(), triangle = LL.simplex(), claims = LL.labClaims(), copies = LL.copyAs();
    const figures = element("div", { class: "lab-figures" }, table.box, triangle.box);
    section.classList.add("lab");
    section.append(
      element("h2", {}, "The lab"),
      element("p", {}, "Every mapping on the scores above. Turn the dials, point at a number, drag a point of the triangle."),
      controls.box,
      figures,
      copies.box,
      claims.box,
    );
    const parts = [controls, table, triangle, claims, copies];
    LL.onchange(state => {
      // Bars take the place that the triangle leaves them.
      figures.classList.toggle("three", state.scores.length === 3);
      parts.forEach(part => part.update(state));
    }, section);
    // The bars are drawn in pixels of their own width.
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) < 1) return;
      width = entry.contentRect.width;
      table.update(LL.state);
    }).observe(section);
  };
}
