// Frames of a sequence: those before and after the photo, and one answer for the run of frames that say the same.
// Part of CardView.

CardView.prototype.showFrames = function (card) {
  const frames = card.frames ?? [];
  this.frames.hidden = frames.length === 0;
  if (!frames.length) return this.frames.replaceChildren();
  const own = el("figure", { class: "own" }, this.miniature(card), el("figcaption", { text: "this one" }));
  const before = frames.filter((other) => other.offset < 0).map((other) => this.frame(card, other));
  const after = frames.filter((other) => other.offset > 0).map((other) => this.frame(card, other));
  const strip = el("div", { class: "near strip" }, ...before, own, ...after);
  this.frames.replaceChildren(el("h3", { text: "Frames before and after" }), strip, ...this.runButtons(card));
};

CardView.prototype.miniature = function (item) {
  return el("img", { alt: "", src: this.app.url(item, 128), draggable: "false" });
};

CardView.prototype.frame = function (card, other) {
  const says = other.has === 1 ? "has it" : other.has === 0 ? "has it not" : "unknown";
  const place = Math.abs(other.offset) + (other.offset < 0 ? " before" : " after");
  return el(
    "figure",
    { class: other.has === 1 ? "has" : "lacks", title: `${other.file}: ${says} (${card.label})` },
    this.miniature(other),
    el("figcaption", {}, el("span", { class: "mark", "aria-hidden": "true", text: other.has === 1 ? "✓" : "–" }),
      el("span", { class: "spoken", text: `${place}: ${says}` }), el("span", { class: "text", "aria-hidden": "true", text: place })),
  );
};

// Two buttons, as both answers can be right: the run has the label, or it has it not.
CardView.prototype.runButtons = function (card) {
  const number = (card.run ?? []).length + 1;
  if (number < 2) return [];
  const button = (verdict, hint, text) =>
    el("button", { class: "small", type: "button", "aria-keyshortcuts": `Shift+${hint}`, onclick: () => this.decideRun(verdict) },
      key(`Shift ${hint}`), `${text} for all ${number}`);
  const now = word(card.labels.find((label) => label.name === card.label)?.value);
  const text = `A run of ${number} frames says ${now}, this one included.`;
  return [el("p", { class: "run", text }), el("div", { class: "others" }, button("no", "N", "No"), button("yes", "Y", "Yes"))];
};

// One decision a frame, of one stroke: an undo takes all of them back.
CardView.prototype.decideRun = function (verdict) {
  const card = this.card;
  if (!card || !this.ready) return;
  if (!card.run?.length) return this.app.nudge("No other frame beside this one says the same: answer Y or N.");
  const seconds = Math.round(performance.now() - this.since) / 1000;
  const others = card.run.map((other) => ({ ...card, ...other, suggested: null, doubt: null, position: -1, group: undefined }));
  this.queue.shift();
  this.withdraw(card.group);
  const run = new Set(card.run.map((other) => other.hash));
  this.queue = this.queue.filter((next) => next.label !== card.label || !run.has(next.hash)); // answered with it
  this.answered.add(card.position);
  this.present();
  const decisions = [this.app.decision(card, verdict, { seconds }), ...others.map((other) => this.app.decision(other, verdict, { source: "edit" }))];
  const rows = this.app.session.decide(decisions);
  this.app.remember({ mode: "run", cards: [card], run: [card, ...others], rows });
  this.app.announce(`${verdict === "yes" ? "Yes" : "No"} for ${decisions.length} frames`);
};
