// What people say about softmax: each claim judged on these scores and in general, with its numbers and its reason.
"use strict"; {
  const { element } = LL;
  const SIGNS = { yes: "✓", true: "✓", no: "✗", false: "✗", "half true": "◐", depends: "◐", "not tested": "·" };
  const chip = verdict => `<span class="lab-sign" aria-hidden="true">${SIGNS[verdict]}</span> ${verdict}`;
  const kind = verdict => ({ "✓": "good", "✗": "bad", "◐": "half" })[SIGNS[verdict]] ?? "none";

  const rowFor = claim => {
    const here = element("p", { class: "lab-here" }), evidence = element("p", { class: "lab-evidence" });
    const general = element("p", { class: `lab-general ${kind(claim.in_general)}` });
    general.innerHTML = `<small>in general </small><b>${chip(claim.in_general)}</b><small>${LL.prose(claim.brief)}</small>`;
    const reason = element("p", { class: "lab-reason" });
    reason.innerHTML = LL.prose(claim.reason);
    const attempt = element("button", { type: "button", class: "lab-try", onclick: () => LL.set({ scores: claim.shown_by }) }, `Try ${LL.list(claim.shown_by)}`);
    const why = element("details", {}, element("summary", {}, "Why in general"), reason);
    const row = element("li", { class: "lab-claim", id: `claim-${claim.name}`, "data-claim": claim.name },
      element("h4", {}, claim.claim), here, general, element("div", { class: "lab-numbers-of" }, evidence, attempt), why);
    const update = found => {
      here.className = `lab-here ${kind(found.here)}`;
      here.innerHTML = `<small>here </small><b>${chip(found.here)}</b>`;
      evidence.innerHTML = LL.prose(found.evidence);
      attempt.hidden = found.here !== "not tested";
    };
    return { row, update };
  };

  LL.labClaims = () => {
    const rows = LL.WORDS.claims.map(rowFor);
    const box = element("section", { id: "claims", class: "lab-claims", tabindex: "-1" },
      element("h3", {}, "What people say about softmax"),
      element("p", { class: "lab-note" }, "Here: for the scores above. In general: for any scores."),
      element("ol", {}, ...rows.map(r => r.row)));
    const update = state => {
      const found = Object.fromEntries(LL.claims(state.scores, state.label, state.parameters).map(claim => [claim.name, claim]));
      LL.WORDS.claims.forEach((claim, i) => rows[i].update(found[claim.name]));
    };
    return { box, update };
  };
}
