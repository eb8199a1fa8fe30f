// The keys, on one sheet.

function makeHelp(close) {
  const rows = (list) =>
    list.map(([first, second, text]) =>
      el("div", { class: "row" }, el("dt", {}, el("kbd", { text: first }), second ? el("kbd", { text: second }) : null), el("dd", { text })),
    );
  const part = (title, list) => el("section", {}, el("h3", { text: title }), el("dl", {}, ...rows(list)));
  return el(
    "dialog",
    { class: "help", "aria-label": "Keys" },
    el("h2", { text: "Keys" }),
    el("p", { text: "One key, one decision. Every decision is saved at once and can be taken back." }),
    el("div", { class: "columns" }, part("One photo", CARD_KEYS), el("div", {}, part("Many photos", GRID_KEYS), part("Always", BOTH_KEYS))),
    el("button", { class: "small", type: "button", text: "Close", "aria-keyshortcuts": "Escape", onclick: close }),
  );
}
