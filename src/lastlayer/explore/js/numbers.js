// Numbers as text. LL.short is lastlayer.words.numbers.short, so that page and command print the same digits.
"use strict"; {
  const LL = (window.LL ??= {});

  // `digits` significant digits as C's %g writes them: 0.6225, 1.386, 4.14e-8, inf.
  LL.short = (value, digits = 4) => {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    if (value === 0) return "0";
    const [mantissa, exponent] = rounded(value, digits).split("e");
    const power = Number(exponent);
    const bare = text => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (power < -4 || power >= digits) return `${bare(mantissa)}e${power}`;
    return bare(Number(`${mantissa}e${power}`).toFixed(Math.max(0, digits - 1 - power)));
  };

  // What is not 1 never reads as 1.
  LL.probability = p => {
    const text = LL.short(p);
    return text === "1" && p < 1 ? "1.0000" : text;
  };

  // As toExponential, which takes a tie away from zero; C takes it to the even digit.
  const rounded = (value, digits) => {
    const text = value.toExponential(digits - 1);
    const [exact, exponent] = value.toExponential(60).split("e");
    const tail = exact.replace(/[-.]/g, "").slice(digits);
    if (!/^50*$/.test(tail) || Number(text.split("e")[0].at(-1)) % 2 === 0) return text;
    const cut = exact.replace("-", "").slice(0, digits > 1 ? digits + 1 : 1);
    return `${value < 0 ? "-" : ""}${cut}e${exponent}`;
  };

  // A number as people write it, "−.5" too; NaN for anything else: "0x10", "", "Infinity".
  LL.number = text => {
    const plain = String(text).replace(/[−–‒]/g, "-");
    return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(plain) ? Number(plain) : NaN;
  };
  LL.MOST_CLASSES = 50;
  LL.areScores = list => list.length >= 1 && list.length <= LL.MOST_CLASSES && list.every(v => LL.fits("scores", v));
  // "1 0.5", "[1, .5]", "(−1; 2)" and nothing else, as numbers; null if it is no list of numbers that the page takes.
  LL.strictScores = text => {
    const inside = String(text).trim().replace(/^(?:\[([^[\](){}]*)\]|\(([^[\](){}]*)\))$/, "$1$2").trim();
    const list = inside.split(/[,;\s]+/).filter(Boolean).map(LL.number);
    return LL.areScores(list) && !LL.hasDecimalComma(inside) ? list : null;
  };
  // As in "1,5 2,5" and "1,5; 2": there the commas are no separators. "1,5" alone is two scores.
  LL.hasDecimalComma = text => {
    const words = String(text).replace(/[[\](){}]/g, " ").split(/[\s;]+/).filter(Boolean);
    return words.length > 1 && words.some(word => /^[^,]*\d,\d+$/.test(word));
  };
  // In a field for scores also with words before the bracket: "logits = [1, .5]", "tensor([1., .5])".
  LL.parseScores = text => LL.strictScores(text)
    ?? LL.strictScores(/^[^[(\d+−–-]*[[(]+([^[\](){}]*)[\])]+\s*$/.exec(text)?.[1] ?? "");

  // With a typeset minus sign, for sentences: −0.5, ∞; a dash where there is no number.
  LL.typeset = text => String(text).replace(/^nan$/, "–").replace("inf", "∞").replaceAll("-", "−");
  LL.say = (value, digits = 4) => (value === null || value === undefined ? "–" : LL.typeset(LL.short(value, digits)));

  // `decimals` digits after the point: columns that line up, and labels next to a moving bar.
  LL.fixed = (value, decimals = 2) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    if (value !== 0 && Math.abs(value) >= 1e5) return LL.say(value, 3);
    const text = value.toFixed(decimals);
    return LL.typeset(Number(text) === 0 ? text.replace("-", "") : text);
  };

  // A probability to two places; what is not 0 never reads as 0, what is not 1 never as 1.
  LL.share = p => {
    if (p === null || p === undefined || Number.isNaN(p)) return "–";
    if (p > 0 && p < 0.005) return "<.01";
    if (p < 1 && p >= 0.995) return ">.99";
    return p === 0 || p === 1 ? String(p) : p.toFixed(2).replace(/^0/, "");
  };

  // A score as a person would type it: no trailing zeros, at most six significant digits.
  LL.score = value => LL.typeset(LL.short(value, 6));
  LL.list = scores => `[${scores.map(LL.score).join(", ")}]`;
  // For a screen reader, which skips a typeset minus sign: "minus 0.5".
  LL.spoken = text => String(text).replace(/(\d)e([−-]?\d+)/g, "$1 times ten to the $2").replace(/−|-(?=\d)/g, "minus ")
    .replaceAll("∞", "infinity");
}
