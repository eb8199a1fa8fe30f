// Card view: one photo, one question. "Yes" and "no" always answer the same question ("Does this show sea?"), whatever
// the label says now and whatever the model predicts: a key always means the same answer. Enter takes the likelier
// answer: the change where it is more likely right than not, else the label as it is. A blind card has none.

const AHEAD = 8; // cards fetched and decoded ahead of the one on screen
const DIGITS = "1234567890";

class CardView {
  constructor(app) {
    this.app = app;
    this.queue = [];
    this.aside = []; // withdrawn cards, for as long as the server cannot be reached
    this.answered = new Set(); // positions that the server may still offer before it has our answer
    this.size = 1024;
    this.ready = false;
    this.since = 0;
    this.all = false; // whether every label is listed
    this.build();
  }

  get card() {
    return this.queue[0] ?? null;
  }

  build() {
    this.stage = el("div", { class: "stage" });
    this.heat = el("canvas", { class: "heat", width: 224, height: 224, "aria-hidden": "true", hidden: true });
    this.file = el("a", { class: "file", dir: "auto", target: "_blank", title: "All labels of this photo, and their history" });
    this.question = el("h2", { class: "question", tabindex: "-1" });
    this.claim = el("p", { class: "claim" });
    this.reason = el("p", { class: "reason" });
    this.yes = this.answer("yes", "Y", "→", "y ArrowRight");
    this.no = this.answer("no", "N", "←", "n ArrowLeft");
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Labels of this photo" });
    this.near = el("div", { class: "near" });
    this.nearTitle = el("h3", { text: "Most similar photos" });
    this.frames = el("div", { class: "frames", hidden: true });
    const small = (text, hint, shortcut, act) =>
      el("button", { class: "small", type: "button", "aria-keyshortcuts": shortcut, onclick: act }, key(hint), text);
    this.methods = el("div", { class: "ways", role: "group", "aria-label": "Method of the heat map", hidden: true });
    this.heatButton = small("Heat map", "H", "h", () => this.toggleHeat());
    this.node = el(
      "div",
      { class: "card" },
      el("div", { class: "photo" }, el("div", { class: "frame" }, this.stage, this.heat, this.methods), this.file),
      el(
        "div",
        { class: "panel" },
        el("div", { class: "ask" }, this.question, this.claim, this.reason),
        el("div", { class: "answers" }, this.no.button, this.yes.button),
        el(
          "div",
          { class: "others" },
          small("Unsure", "U", "u", () => this.decide("unsure")),
          small("Skip", "S", "s", () => this.decide("skip")),
          small("Undo", "Z", "z Backspace", () => this.app.undo()),
          this.heatButton,
        ),
        this.frames,
        el("div", { class: "labels" }, el("h3", { text: "Labels of this photo" }), this.chips),
        el("div", { class: "similar" }, this.nearTitle, this.near),
      ),
    );
    this.node.prepend(el("div", { class: "empty", hidden: true }));
    this.empty = this.node.firstChild;
  }

  answer(verdict, letter, arrow, shortcuts) {
    const title = el("span", { class: "title" });
    const effect = el("span", { class: "effect" });
    const keys = el("span", { class: "keys" }, key(letter), key(arrow));
    const enter = el("kbd", { class: "enter", text: "Enter", "aria-hidden": "true" });
    const button = el(
      "button",
      { class: `answer ${verdict}`, type: "button", "aria-keyshortcuts": shortcuts, onclick: () => this.decide(verdict) },
      el("span", { class: "line" }, title, enter),
      effect,
      keys,
    );
    return { button, title, effect, enter };
  }

  // Request to the server: how many cards, and which ones the page has.
  request() {
    const count = Math.max(0, AHEAD + 1 - this.queue.length);
    return { mode: "card", count, hold: Session.held(this.queue), exclude: [...this.answered] };
  }

  receive(reply, payload) {
    const sent = new Set(payload.decisions.map((row) => row.position));
    for (const position of sent) this.answered.delete(position); // the server knows by now
    for (const row of this.app.session.outbox.waiting) if (row.position >= 0) this.answered.add(row.position);
    const have = new Set(this.queue.map((card) => card.position));
    const idle = !this.card;
    const lost = new Set(reply.lost); // while this page slept, somebody else got them
    for (const position of reply.stale ?? []) lost.add(position);
    this.queue = this.queue.filter((card, index) => index === 0 || !lost.has(card.position));
    const unsettled = this.app.session.unsettled;
    this.aside = this.aside.filter((card) => unsettled.has(card.group));
    for (const card of reply.cards ?? []) {
      if (have.has(card.position) || this.answered.has(card.position) || unsettled.has(card.group)) continue;
      this.queue.push(card);
    }
    this.prefetch();
    if (idle) this.present();
  }

  // Cards ahead of a photo that was just answered, and of its copies, come back when they are judged anew.
  withdraw(group) {
    this.aside.push(...this.queue.filter((card) => card.group === group));
    this.queue = this.queue.filter((card) => card.group !== group);
  }

  // Nobody can judge them anew while the server is away: the person goes on with them as they are.
  goOn() {
    if (this.card || !this.aside.length) return;
    this.queue = this.aside.filter((card) => !this.answered.has(card.position));
    this.aside = [];
    if (this.card) this.present();
  }

  reset() {
    this.queue = [];
    this.aside = [];
    this.answered.clear();
    this.ready = false;
    this.present();
  }

  prefetch() {
    if (this.stage.clientWidth) this.size = this.app.data.image_size || stageSize(this.stage);
    for (const card of this.queue.slice(0, AHEAD + 1)) {
      this.app.photos.get(card, this.size);
      for (const other of [...card.neighbours, ...(card.frames ?? [])]) this.app.photos.get(other, 128);
    }
  }

  present() {
    const card = this.card;
    this.node.classList.toggle("nothing", !card);
    this.empty.hidden = Boolean(card);
    if (!card) {
      this.app.describeEmpty(this.empty);
      return;
    }
    this.ready = false;
    this.hideHeat();
    const photo = this.app.photos.get(card, this.size);
    if (photo.ready) this.show(card, photo);
    else {
      this.node.classList.add("loading");
      photo.done.then(() => this.card === card && this.show(card, photo));
    }
  }

  // The photo and its question change in the same frame; keys count from the frame after it.
  show(card, photo) {
    this.node.classList.remove("loading");
    this.stage.classList.toggle("unseen", !photo.ready);
    this.stage.replaceChildren(photo.ready ? photo.node : el("p", { text: "This photo cannot be shown." }));
    if (photo.ready) photo.node.alt = `Photo ${card.file}`;
    this.ask(card);
    requestAnimationFrame(() => {
      if (this.card !== card) return;
      this.ready = true;
      this.since = performance.now();
      this.node.dataset.shown = card.position; // what is on screen, for tests and benchmarks
      this.detail(card);
      this.app.announce(this.spoken(card));
    });
  }

  ask(card) {
    this.file.textContent = card.file;
    this.file.href = `photos?image=${encodeURIComponent(card.hash)}`;
    this.question.replaceChildren("Does this show ", name(card.label), "?");
    this.node.classList.toggle("blind", card.blind);
    this.claim.replaceChildren(...claimOf(card));
    this.reason.replaceChildren(...(card.blind ? [] : withNames(card.reason)));
    const usual = defaultAnswer(card);
    const [adds, drops] = [card.given === 1 ? "keeps the label" : "adds the label", card.given === 0 ? "stays without it" : "removes the label"];
    this.fill(this.yes, "Yes", card.blind ? "it is there" : adds, usual === 1); // a blind card does not say what is given
    this.fill(this.no, "No", card.blind ? "it is not there" : drops, usual === 0);
  }

  fill(answer, title, effect, usual) {
    answer.title.textContent = title;
    answer.effect.textContent = effect;
    answer.enter.hidden = !usual;
    answer.button.classList.toggle("suggested", usual);
  }

  accept() {
    const card = this.card;
    if (!card || !this.ready) return;
    const usual = defaultAnswer(card);
    if (usual === null) this.app.nudge("There is no suggestion here: answer Y or N.");
    else this.decide(usual === 1 ? "yes" : "no");
  }

  keep() {
    const card = this.card;
    if (!card || !this.ready) return;
    if (card.blind || card.given < 0) this.app.nudge("This card does not show a given label: answer Y or N.");
    else this.decide(card.given === 1 ? "yes" : "no");
  }

  decide(verdict) {
    const card = this.card;
    if (!card || !this.ready) return; // never a verdict on a photo that is not on screen yet
    if (this.stage.classList.contains("unseen") && (verdict === "yes" || verdict === "no")) {
      this.app.nudge("This photo cannot be shown: skip it (S).");
      return;
    }
    const seconds = Math.round(performance.now() - this.since) / 1000;
    this.queue.shift();
    if (verdict === "yes" || verdict === "no") this.withdraw(card.group);
    this.answered.add(card.position);
    this.present(); // first what is seen, then what is saved
    const rows = this.app.session.decide([this.app.decision(card, verdict, { seconds })]);
    this.app.remember({ mode: "card", cards: [card], rows });
  }

  toggle(index) {
    const card = this.card;
    const label = card?.labels.filter((other) => other.name !== card.label)[index];
    if (!label || !this.ready) return;
    const value = label.value === 1 ? 0 : 1;
    const cell = { ...card, label: label.name, current: label.value, suggested: null, doubt: null, blind: false };
    const rows = this.app.session.decide([this.app.decision(cell, value ? "yes" : "no", { source: "edit", position: -1 })]);
    this.queue.shift();
    this.withdraw(card.group);
    this.queue.unshift(card);
    this.app.remember({ mode: "edit", card, label, before: { value: label.value, verified: label.verified }, rows });
    label.value = value;
    label.verified = true;
    this.detail(card);
    this.app.announce(`${label.name}: ${value ? "yes" : "no"}`);
  }

  toggleAll() {
    this.all = !this.all;
    this.detail(this.card);
  }

  takeBack(entry) {
    if (entry.mode === "edit") {
      Object.assign(entry.label, entry.before);
      if (this.card === entry.card) this.detail(this.card);
      return;
    }
    for (const card of entry.cards) {
      this.answered.delete(card.position);
      this.withdraw(card.group);
    }
    this.queue.unshift(...entry.cards);
    this.queue.length = Math.min(this.queue.length, 4 * AHEAD);
    this.prefetch();
    this.present();
  }
}

function word(value) {
  return value === 1 ? "yes" : value === 0 ? "no" : "unknown";
}
