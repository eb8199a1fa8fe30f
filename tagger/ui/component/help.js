// Help dialog with the keyboard shortcuts.

function makeHelp(close) {
  const rows = (list) =>
    list.map(([first, second, text]) =>
      el("div", { class: "row" }, el("dt", {}, el("kbd", { text: first }), second ? el("kbd", { text: second }) : null), el("dd", { text })),
    );
  const part = (title, list) => el("section", {}, el("h3", { text: title }), el("dl", {}, ...rows(list)));
  return el(
    "dialog",
    { class: "help", "aria-label": "Keyboard shortcuts" },
    el("h2", { text: "Keyboard shortcuts" }),
    el("p", { text: "Every decision is saved at once and can be undone." }),
    el("div", { class: "columns" }, part("One photo", CARD_KEYS), el("div", {}, part("Many photos", GRID_KEYS), part("Both views", BOTH_KEYS))),
    el("button", { class: "small", type: "button", text: "Close", "aria-keyshortcuts": "Escape", onclick: close }),
  );
}
