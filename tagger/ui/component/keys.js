// Keyboard shortcuts: one table for the handler, the help and the tests.

const CARD_KEYS = [
  ["Y", "→", "yes, the photo shows the label"],
  ["N", "←", "no, the photo does not show it"],
  ["Shift Y", "Shift N", "yes or no for the run of frames that say the same (sequences)"],
  ["Enter", "", "the likelier answer (the button marked Enter)"],
  ["K", "", "keep the label as it is"],
  ["U", "", "unsure: another reviewer may know"],
  ["S", "", "skip for now"],
  ["Z", "Backspace", "undo, step by step"],
  ["1 … 9, 0", "", "turn one of the photo's other labels on or off"],
  ["H", "", "heat map: where the model looks"],
  ["M", "", "next method of the heat map"],
];
const GRID_KEYS = [
  ["A … Y, 1 … 5", "", "mark a photo"],
  ["← ↑ ↓ →", "", "move; Space marks"],
  ["I", "", "invert the marks"],
  ["Enter", "", "settle the whole page"],
  ["Z", "Backspace", "undo the whole page"],
];
const BOTH_KEYS = [
  ["G", "", "switch between one photo and many photos"],
  ["?", "", "this help"],
];

// The handler sits on window, before Streamlit's: "c" and "r" would open its dialogs.
function onKey(event, app) {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.composedPath()[0];
  if (isText(target) || document.querySelector('[role="dialog"], [role="listbox"]')) return;
  if (app.help.open) {
    if (["Escape", "Enter", "?"].includes(event.key)) stop(event), app.toggleHelp(false);
    else if (event.key.length === 1) stop(event);
    return;
  }
  if ((event.key === "Enter" || event.key === " ") && isControl(target) && !target.classList.contains("tile")) return;
  const act = actionOf(event, app);
  if (!act) return;
  stop(event);
  if (!event.repeat) act(); // a key that is held down is one decision, not twenty
}

function actionOf(event, app) {
  const pressed = letterOf(event);
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1]; // by position: a French keyboard has & on the 1
  if (pressed === "?") return () => app.toggleHelp(true);
  if (pressed === "g") return () => app.setMode(app.mode === "grid" ? "card" : "grid");
  if (pressed === "z" || pressed === "Backspace") return () => app.undo();
  return app.mode === "grid" ? gridAction(pressed, digit, app.grid) : cardAction(pressed, digit, event.shiftKey, app.card);
}

// The letter of a key: what it types where that is a Latin letter or a sign, else its place on the keyboard, so that
// Cyrillic, Greek or Hebrew layouts have the same keys.
function letterOf(event) {
  if (event.key.length !== 1) return event.key;
  const place = /^Key([A-Z])$/.exec(event.code)?.[1];
  return place && event.key.charCodeAt(0) > 0x24f ? place.toLowerCase() : event.key.toLowerCase();
}

function cardAction(pressed, digit, shift, card) {
  if (digit && !shift) return () => card.toggle(DIGITS.indexOf(digit));
  if (shift && (pressed === "y" || pressed === "n")) return () => card.decideRun(pressed === "y" ? "yes" : "no");
  const acts = {
    y: () => card.decide("yes"),
    ArrowRight: () => card.decide("yes"),
    n: () => card.decide("no"),
    ArrowLeft: () => card.decide("no"),
    Enter: () => card.accept(),
    k: () => card.keep(),
    u: () => card.decide("unsure"),
    s: () => card.decide("skip"),
    h: () => card.toggleHeat(),
    m: () => card.nextMethod(),
  };
  return acts[pressed] ?? (/^[cr]$/.test(pressed) ? () => {} : null);
}

function gridAction(pressed, digit, grid) {
  if (pressed.startsWith("Arrow")) return () => grid.arrow(pressed);
  if (pressed === "Enter") return () => grid.settle();
  if (pressed === " ") return () => grid.mark(grid.focus);
  if (pressed === "i") return () => grid.invert();
  const index = TILE_KEYS.indexOf(digit ?? pressed);
  return index >= 0 ? () => grid.mark(index) : null;
}

function isText(node) {
  if (!node || node.nodeType !== 1) return false;
  if (node.isContentEditable || node.tagName === "TEXTAREA" || node.tagName === "SELECT") return true;
  const buttons = ["checkbox", "radio", "button", "submit", "range", "file", "color"];
  return node.tagName === "INPUT" && !buttons.includes(node.type); // a focused toggle is an INPUT too
}

function isControl(node) {
  return Boolean(node?.closest?.('button, a[href], summary, input, [role="button"], [role="option"], [role="tab"]'));
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}
