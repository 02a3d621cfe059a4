// The dials of the lab: what happens before the mapping, entmax's α, and which mappings are shown.
"use strict"; {
  const { element } = LL;
  const NONE = 2;

  // One dial: a slider, and a field for an exact number. `toSlider` and `fromSlider` change between value and position.
  const DIALS = [
    {
      key: "temperature", label: "Temperature", usual: 1, min: -1, max: 1, step: 0.01, toSlider: Math.log10, fromSlider: v => 10 ** v,
      explain: "divides the scores: high is unsure, low is certain",
    },
    {
      key: "softcap", label: "Softcap", usual: undefined, min: -1, max: NONE, step: 0.01, toSlider: v => Math.min(Math.log10(v), NONE - 0.01),
      fromSlider: v => (v >= NONE ? undefined : 10 ** v), explain: "C·tanh(x / C) before that: no score beyond C",
    },
    {
      key: "alpha", label: "entmax’s α", usual: 1.5, min: 1, max: 4, step: 0.05, toSlider: v => v, fromSlider: v => v,
      explain: "1 is softmax, 2 is sparsemax",
    },
    {
      key: "order", label: "Taylor’s order", usual: 2, min: 2, max: 18, step: 2, toSlider: v => v, fromSlider: v => v,
      explain: "how far the series of eˣ goes",
    },
  ];

  const valueOf = (dial, state) => state.parameters[dial.key] ?? dial.usual;
  const set = (dial, value) => {
    const parameters = { ...LL.state.parameters };
    if (value === undefined || value === dial.usual) delete parameters[dial.key];
    else parameters[dial.key] = value;
    LL.set({ parameters });
  };
  // A slider's value to three digits: it is written into links and commands.
  const rounded = value => (value === undefined ? undefined : Number(value.toPrecision(3)));

  const typed = (dial, field) => {
    const text = field.value.trim().replace("∞", "");
    const value = text === "" || text === "none" ? dial.usual : LL.number(text);
    const fits = value === undefined || LL.fits(dial.key, value);
    const { least, most, even } = LL.RANGES[dial.key], wrong = field.parentElement.querySelector("[role=alert]");
    field.setAttribute("aria-invalid", String(!fits));
    wrong.hidden = fits;
    wrong.textContent = fits ? "" : `${even ? "An even number" : "A number"} from ${LL.say(least)} to ${LL.say(most, 6)}, please.`;
    if (fits) set(dial, value);
  };

  const dialFor = dial => {
    const id = `lab-${dial.key}`;
    const slider = element("input", {
      type: "range", id, min: dial.min, max: dial.max, step: dial.step, "aria-describedby": `${id}-why`,
      oninput: event => {
        event.target.parentElement.querySelector("[role=alert]").hidden = true;
        set(dial, rounded(dial.fromSlider(Number(event.target.value))));
      },
    });
    const field = element("input", {
      type: "text", inputmode: "decimal", "aria-label": `${dial.label}, exact`, placeholder: "none",
      onchange: event => typed(dial, event.target),
      onblur: () => { field.setAttribute("aria-invalid", "false"); update(LL.state); },
    });
    const box = element("div", { class: "lab-dial" }, element("label", { for: id }, dial.label), field, slider,
      element("small", { id: `${id}-why` }, dial.explain),
      element("p", { class: "wrong", role: "alert", hidden: true }));
    const update = state => {
      const value = valueOf(dial, state);
      slider.value = value === undefined ? dial.max : dial.toSlider(value);
      slider.setAttribute("aria-valuetext", value === undefined ? "none" : LL.short(value));
      if (document.activeElement !== field || field.getAttribute("aria-invalid") !== "true") {
        field.value = value === undefined ? "" : LL.short(value, 6);
        field.setAttribute("aria-invalid", "false");
      }
    };
    return { box, update };
  };

  const tick = name => {
    const input = element("input", {
      type: "checkbox", value: name,
      onchange: () => {
        const on = LL.chosen(LL.state);
        LL.set({ mappings: input.checked ? Object.keys(LL.MAPPINGS).filter(n => n === name || on.includes(n)) : on.filter(n => n !== name) });
      },
    });
    const label = element("label", { class: "lab-tick", title: LL.WORDS.mappings[name].summary }, input);
    label.insertAdjacentHTML("beforeend", `${LL.markIcon(name)}<span>${name}</span>`);
    return { label, update: state => { input.checked = LL.chosen(state).includes(name); } };
  };

  // All of it; returns an element, and a function that shows a state.
  LL.labControls = () => {
    const dials = DIALS.map(dialFor), ticks = Object.keys(LL.MAPPINGS).map(tick);
    const choose = (text, mappings) => element("button", { type: "button", onclick: () => LL.set({ mappings }) }, text);
    const reset = element("button", { type: "button", onclick: () => LL.set({ parameters: {} }) }, "Reset the dials");
    const box = element("div", { class: "lab-controls" },
      element("div", { class: "lab-dials", role: "group", "aria-label": "Before the mapping, and its parameters" }, ...dials.map(d => d.box)),
      element("fieldset", { class: "lab-ticks" }, element("legend", {}, "Mappings"), ...ticks.map(t => t.label)),
      element("div", { class: "lab-buttons" },
        choose("All mappings", Object.keys(LL.MAPPINGS)), choose("Softmax and the ratio", ["softmax", "ratio"]), reset));
    const update = state => {
      for (const part of [...dials, ...ticks]) part.update(state);
      reset.disabled = !Object.keys(state.parameters).length;
    };
    return { box, update };
  };
}
