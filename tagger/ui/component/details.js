// Details of a card: other labels and similar photos. Part of CardView.

CardView.prototype.detail = function (card) {
  const others = card.labels.filter((label) => label.name !== card.label);
  const shown = this.all ? others : others.slice(0, DIGITS.length);
  this.chips.replaceChildren(...shown.map((label, index) => this.chip(card, label, index)));
  if (others.length > DIGITS.length) {
    const text = this.all ? "Fewer" : `${(others.length - DIGITS.length + card.more).toLocaleString("en")} more`;
    this.chips.append(el("button", { class: "chip more", type: "button", text, onclick: () => this.toggleAll() }));
    if (this.all && card.more) {
      const rest = `${card.more.toLocaleString("en")} more on the photo's page`;
      this.chips.append(el("a", { class: "chip more", target: "_blank", href: this.file.href, text: rest }));
    }
  }
  this.near.replaceChildren(...card.neighbours.map((other) => this.neighbour(card, other)));
  this.showFrames(card);
  this.nearTitle.hidden = card.neighbours.length === 0;
  this.heatButton.hidden = !this.app.data.heat || card.blind; // what the model looks at would be a hint
};

CardView.prototype.chip = function (card, label, index) {
  const on = label.value === 1;
  return el(
    "button",
    {
      class: `chip ${on ? "on" : "off"}${label.verified ? " verified" : ""}`,
      type: "button",
      "aria-pressed": String(on),
      "aria-keyshortcuts": DIGITS[index],
      title: label.verified ? "decided by a person" : undefined,
      onclick: () => this.toggle(index),
    },
    index < DIGITS.length ? key(DIGITS[index]) : null,
    el("span", { class: "mark", "aria-hidden": "true", text: on ? "✓" : "" }),
    el("span", { class: "text", dir: "auto", text: label.name }),
  );
};

CardView.prototype.neighbour = function (card, other) {
  const has = other.has === 1;
  const says = `${has ? "has" : other.has === 0 ? "does not have" : "unknown:"} ${card.label}`;
  const photo = el("img", { alt: "", src: this.app.url(other, 128), draggable: "false" });
  return el(
    "figure",
    { class: has ? "has" : "lacks", title: `${other.file}: ${other.labels.join(", ") || "no label"}` },
    photo,
    el("figcaption", { dir: "auto" }, el("span", { class: "mark", "aria-hidden": "true", text: has ? "✓" : "–" }),
      el("span", { class: "spoken", text: says }), el("span", { class: "text", text: other.labels.join(", ") || "no label" })),
  );
};

CardView.prototype.spoken = function (card) {
  const yes = card.labels.filter((label) => label.value === 1).map((label) => label.name);
  const claim = card.blind ? "Please check." : `${this.claim.textContent}. ${this.reason.textContent}.`;
  return `${card.file}. Does this show ${card.label}? ${claim} Labels: ${yes.join(", ") || "none"}.`;
};
