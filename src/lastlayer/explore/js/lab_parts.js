// What the parts of the lab share: elements, a mapping's mark, names with their parameters.
"use strict"; {
  // An element with attributes, listeners ("onclick") and children.
  LL.element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  };

  // The mark of a mapping: its shape in its colour, ten units wide around (x, y).
  LL.markAt = (name, x = 0, y = 0, size = 1) =>
    `<path d="${LL.WORDS.marks[name].shape}" transform="translate(${x} ${y}) scale(${size})" fill="${LL.colour(name)}"/>`;
  LL.markIcon = name => `<svg class="lab-mark" viewBox="-6 -6 12 12" aria-hidden="true">${LL.markAt(name)}</svg>`;

  // "entmax:alpha=1.3", as the command and the library take it.
  LL.labelOf = (name, parameters) => {
    const own = Object.entries(LL.MAPPINGS[name].parameters);
    const changed = own.filter(([key, usual]) => (parameters[key] ?? usual) !== usual).map(([key]) => `${key}=${parameters[key]}`);
    return changed.length ? `${name}:${changed.join(",")}` : name;
  };

  // ", softcap 3, temperature 0.5", where they are set.
  LL.beforeMapping = ({ parameters: { temperature, softcap } }) =>
    [softcap && `softcap ${LL.short(softcap)}`, temperature && `temperature ${LL.short(temperature)}`].filter(Boolean).map(t => `, ${t}`).join("");

  // The mappings that are ticked, in the library's order.
  LL.chosen = state => Object.keys(LL.MAPPINGS).filter(name => state.mappings.some(given => given.split(":")[0] === name));

  // Typeset: a minus sign before a digit, e^x and x_i raised and lowered, *emphasis*.
  LL.prose = text => LL.escape(text)
    .replace(/-(?=\d|inf)/g, "−").replace(/\binf\b/g, "∞")
    .replace(/e\^(?:\(([^()]*)\)|(−?[\d.]+(?:e−?\d+)?|x))/g, (_, inside, alone) => `e<sup>${inside ?? alone}</sup>`)
    .replace(/([A-Za-zδ])_([A-Za-z]+)/g, "$1<sub>$2</sub>")
    .replace(/\*(.+?)\*/g, "<em>$1</em>");
}
