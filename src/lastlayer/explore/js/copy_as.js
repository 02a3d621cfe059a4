// The lab's state in other forms: link, command, Python, LaTeX, Markdown, SVG, PNG.
"use strict"; {
  const { element } = LL;
  // Beyond 2^53 with a point: Python would take digits alone for an integer of any size.
  const number = v => (Number.isInteger(v) && !Number.isSafeInteger(v) && !/[.e]/.test(v) ? `${v}.0` : String(v));
  const plain = scores => scores.map(number).join(", ");
  const allUsual = (names, state) => names.length === Object.keys(LL.MAPPINGS).length && names.every(name => LL.labelOf(name, state.parameters) === name);
  const labels = state => LL.chosen(state).map(name => LL.labelOf(name, state.parameters));

  const before = ({ parameters: { temperature, softcap } }) =>
    [softcap !== undefined && `--softcap ${softcap}`, temperature !== undefined && `--temperature ${temperature}`].filter(Boolean);
  // The question in a terminal, whatever mappings are ticked; the label where it is not the one that compare takes by itself.
  LL.command = state => {
    const usual = state.label === state.scores.indexOf(Math.min(...state.scores));
    return ["lastlayer compare", ...state.scores, ...(usual ? [] : [`--label ${state.label}`]), ...before(state)].join(" ");
  };
  const command = state => {
    const names = LL.chosen(state), parts = ["lastlayer compare", ...state.scores, `--label ${state.label}`, ...before(state)];
    if (names.length && !allUsual(names, state)) parts.push(`--mappings ${labels(state).join(",")}`);
    return parts.join(" ");
  };

  const python = state => {
    const { temperature, softcap } = state.parameters, names = LL.chosen(state);
    const options = [`label=${state.label}`];
    if (temperature !== undefined) options.push(`temperature=${temperature}`);
    if (softcap !== undefined) options.push(`softcap=${softcap}`);
    if (names.length && !allUsual(names, state)) options.push(`mappings=[${labels(state).map(name => `"${name}"`).join(", ")}]`);
    return `import lastlayer as ll\n\ncomparison = ll.compare([${plain(state.scores)}], ${options.join(", ")})\nprint(comparison)`;
  };

  // ---- tables

  const columns = state => {
    const classes = state.scores.map((_, i) => i);
    return { classes, rows: LL.labRows(state) };
  };
  const heading = state => `Scores (logits) [${state.scores.map(v => LL.short(v, 6)).join(", ")}], true class ${state.label}${LL.beforeMapping(state)}`;

  const markdown = state => {
    const { classes, rows } = columns(state), line = cells => `| ${cells.join(" | ")} |`;
    const head = ["mapping", ...classes.map(i => `p${i}`), "loss", ...classes.map(i => `∂loss/∂x${i}`)];
    const cells = row => [row.label, ...classes.map(i => LL.say(row.p?.[i])), LL.say(row.loss), ...classes.map(i => LL.say(row.gradient?.[i]))];
    return [`${heading(state)}:`, "", line(head), line(head.map((_, i) => (i ? "---:" : "---"))), ...rows.map(row => line(cells(row)))].join("\n");
  };

  const math = value => {
    if (value === null || value === undefined) return "--";
    const [mantissa, power] = LL.short(value).replace("inf", "\\infty").split("e");
    return `$${mantissa}${power === undefined ? "" : `\\cdot 10^{${power}}`}$`;
  };
  const latex = state => {
    const { classes, rows } = columns(state), line = cells => `  ${cells.join(" & ")} \\\\`;
    const escaped = text => text.replaceAll("_", "\\_");
    const cells = row => [escaped(row.label), ...classes.map(i => math(row.p?.[i])), math(row.loss), ...classes.map(i => math(row.gradient?.[i]))];
    return [
      `% ${heading(state)}`,
      `\\begin{tabular}{l${"r".repeat(2 * classes.length + 1)}}`,
      line(["mapping", ...classes.map(i => `$p_{${i}}$`), "loss", ...classes.map(i => `$\\partial \\ell / \\partial x_{${i}}$`)]),
      "  \\hline",
      ...rows.map(row => line(cells(row))),
      "\\end{tabular}",
    ].join("\n");
  };

  // ---- the picture

  const WIDTH = 720;
  const svg = state => {
    const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(name).trim();
    const ink = colour("--ink"), soft = colour("--soft"), hue = name => colour(`--hue${LL.WORDS.marks[name].hue}`);
    const bars = LL.labBars(LL.labRows(state), WIDTH - 32, { ink, soft, hue, top: 34 }), height = bars.height + 46;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif">`
      + `<rect width="100%" height="100%" fill="${colour("--paper")}"/><g transform="translate(16 12)">`
      + `<text y="14" font-size="15" font-weight="600" fill="${ink}">Scores ${LL.list(state.scores)}${LL.escape(LL.beforeMapping(state))}: what each mapping makes of them</text>${bars.text}`
      + `<text y="${bars.height + 18}" font-size="11" fill="${soft}">lastlayer ${LL.WORDS.version} · one bar per mapping, class 0 leftmost</text></g></svg>`;
  };

  const inBase64 = text => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  const download = (address, name) => element("a", { href: address, download: name }).click();
  const png = async state => {
    const image = new Image();
    image.src = `data:image/svg+xml;base64,${inBase64(svg(state))}`;
    await image.decode();
    const canvas = element("canvas", { width: 2 * image.width, height: 2 * image.height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    download(canvas.toDataURL("image/png"), "lastlayer.png");
  };

  // Text in every form; PNG is a file alone.
  LL.COPIES = {
    Link: state => location.href.split("#")[0] + LL.formatHash(state),
    Command: command, Python: python, LaTeX: latex, Markdown: markdown, SVG: svg,
  };

  // A frame in a notebook has no address that could be opened elsewhere.
  const hasAddress = () => location.protocol !== "about:";

  const copy = async (text, output) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without the permission: select what is shown.
      getSelection().selectAllChildren(output);
      return document.execCommand("copy");
    }
  };

  LL.copyAs = () => {
    const output = element("pre", { class: "lab-copied", tabindex: "0", hidden: true, "aria-label": "What was copied" });
    const said = element("p", { class: "lab-note", role: "status" });
    const show = async kind => {
      const text = LL.COPIES[kind](LL.state);
      output.hidden = false;
      output.textContent = text;
      said.textContent = (await copy(text, output)) ? `${kind} copied.` : "Select the text below to copy it.";
    };
    const button = (text, onclick) => element("button", { type: "button", onclick }, text);
    const box = element("div", { class: "lab-copy" }, element("h3", {}, "Copy as"),
      element("div", { class: "lab-buttons" }, ...Object.keys(LL.COPIES).filter(kind => kind !== "Link" || hasAddress()).map(kind => button(kind, () => show(kind))),
        button("SVG file", () => download(`data:image/svg+xml;base64,${inBase64(svg(LL.state))}`, "lastlayer.svg")),
        button("PNG file", () => png(LL.state))),
      said, output);
    return { box, update: () => { output.hidden = true; said.textContent = ""; } };
  };
}
