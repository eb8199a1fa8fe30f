// Grid view: two dozen photos, one question. The rarer answer is marked; one key settles all, in one transaction.

const TILE_KEYS = [..."abcdefjklmnopqrstvwxy12345"]; // without g, h, i, u, z, which mean something
const TILES = 24;

class GridView {
  constructor(app) {
    this.app = app;
    this.pages = []; // { label, direction, cards, marks: Set of indices, marksChange: whether a mark changes the label }
    this.answered = new Set();
    this.focus = 0;
    this.ready = false;
    this.since = 0;
    this.exhausted = false;
    this.build();
  }

  get page() {
    return this.pages[0] ?? null;
  }

  build() {
    this.title = el("h2", { class: "question", tabindex: "-1" });
    this.hint = el("p", { class: "claim" });
    this.tiles = el("div", { class: "tiles", role: "group", "aria-label": "Photos" });
    this.settleText = el("span", { class: "title" });
    this.settleEffect = el("span", { class: "effect" });
    const small = (text, hint, shortcut, act) =>
      el("button", { class: "small", type: "button", "aria-keyshortcuts": shortcut, onclick: act }, key(hint), text);
    this.settleButton = el(
      "button",
      { class: "answer suggested settle", type: "button", "aria-keyshortcuts": "Enter", onclick: () => this.settle() },
      el("span", { class: "line" }, this.settleText, el("kbd", { class: "enter", text: "Enter", "aria-hidden": "true" })),
      this.settleEffect,
    );
    this.bar = el(
      "div",
      { class: "gridbar" },
      el("div", { class: "ask" }, this.title, this.hint),
      el("div", { class: "others" }, small("Invert marks", "I", "i", () => this.invert()), small("Undo", "Z", "z Backspace", () => this.app.undo())),
      this.settleButton,
    );
    this.empty = el("div", { class: "empty", hidden: true });
    this.node = el("div", { class: "grid" }, this.empty, this.bar, this.tiles);
  }

  request() {
    const held = Session.held(this.pages.flatMap((page) => page.cards));
    const last = this.pages.at(-1);
    const group = last ? { label: last.label, direction: last.direction } : null;
    const count = this.pages.length < 3 ? TILES : 0;
    return { mode: "grid", count, group, hold: held, exclude: [...this.answered] };
  }

  receive(reply, payload) {
    for (const row of payload.decisions) this.answered.delete(row.position);
    for (const row of this.app.session.outbox.waiting) if (row.position >= 0) this.answered.add(row.position);
    const have = new Set(this.pages.flatMap((page) => page.cards.map((card) => card.position)));
    const unsettled = this.app.session.unsettled;
    const fresh = (reply.cards ?? []).filter(
      (card) => !have.has(card.position) && !this.answered.has(card.position) && !unsettled.has(card.group),
    );
    const idle = !this.page;
    const lost = new Set(reply.lost); // pages ahead that somebody else got a part of while this page slept
    this.pages = this.pages.filter((page, index) => index === 0 || !page.cards.some((card) => lost.has(card.position)));
    const stale = new Set(reply.stale ?? []);
    this.withdraw((card) => stale.has(card.position));
    if (fresh.length) {
      const { label, direction } = fresh[0];
      this.pages.push(startMarks({ label, direction, cards: fresh }));
      this.prefetch();
      if (this.pages.length < 3) this.app.session.sync();
    }
    if (idle) this.present();
  }

  // Photos leave the pages ahead: answers about them or their copies came in, and they are judged anew.
  withdraw(leaves) {
    const ahead = this.pages.slice(1).map((page) => {
      const cards = page.cards.filter((card) => !leaves(card));
      return cards.length === page.cards.length ? page : startMarks({ label: page.label, direction: page.direction, cards });
    });
    this.pages = [...this.pages.slice(0, 1), ...ahead.filter((page) => page.cards.length)];
  }

  reset() {
    this.pages = [];
    this.answered.clear();
    this.present();
  }

  prefetch() {
    for (const page of this.pages) for (const card of page.cards) this.app.photos.get(card, 256);
  }

  present() {
    const page = this.page;
    this.node.classList.toggle("nothing", !page);
    this.empty.hidden = Boolean(page);
    if (!page) return this.app.describeEmpty(this.empty);
    this.ready = false;
    this.focus = 0;
    const missing = page.direction === "missing";
    const count = page.cards.length;
    const one = count === 1;
    const verb = missing ? (one ? "lacks" : "lack") : one ? "has" : "have";
    const shows = missing ? (one ? "shows" : "show") : one ? "does not show" : "do not show";
    const most = page.marksChange ? (one ? "; does it" : "; do any") : ", but probably";
    const end = page.marksChange ? `${missing ? " show" : " not show"} it?` : ` ${shows} it`;
    this.title.replaceChildren(`${plural(count, "photo")} ${verb} the label `, name(page.label), most + end);
    const expected = page.cards.reduce((sum, card) => sum + card.doubt, 0);
    const wrong = expected < 0.5 ? "probably none is wrong" : `about ${Math.round(expected)} of ${count} expected to be wrong`;
    const marked = marksShow(page) ? "do show" : "do not show";
    this.hint.textContent = `Mark the photos that ${marked} it (${wrong}; the likely ones are marked). Then settle all.`;
    this.nodes = page.cards.map((card, index) => this.tile(page, card, index));
    this.tiles.replaceChildren(...this.nodes);
    this.count();
    const photos = page.cards.map((card) => this.app.photos.get(card, 256).done);
    Promise.all(photos).then(() => {
      if (this.page !== page) return;
      requestAnimationFrame(() => {
        this.ready = true;
        this.node.dataset.shown = page.cards.map((card) => card.position).join(" ");
        this.since = performance.now();
        this.app.announce(`${this.title.textContent}. ${this.hint.textContent}`);
      });
    });
  }

  tile(page, card, index) {
    const entry = this.app.photos.get(card, 256);
    const frame = el("span", { class: "pic" });
    entry.done.then((seen) => frame.append(seen ? entry.node : el("span", { class: "spoken", text: "cannot be shown" })));
    return el(
      "button",
      {
        class: marksShow(page) ? "tile shows" : "tile",
        type: "button",
        tabindex: index === this.focus ? "0" : "-1",
        "aria-pressed": String(page.marks.has(index)),
        "aria-label": card.file,
        title: `${card.file}\n${card.reason}`,
        "aria-keyshortcuts": TILE_KEYS[index],
        onclick: () => this.mark(index),
      },
      frame,
      el("span", { class: "badge", "aria-hidden": "true", text: marksShow(page) ? "✓" : "✕" }),
      index < TILE_KEYS.length ? key(TILE_KEYS[index].toUpperCase()) : null,
    );
  }

  mark(index) {
    const page = this.page;
    if (!page || index < 0 || index >= page.cards.length) return;
    if (page.marks.has(index)) page.marks.delete(index);
    else page.marks.add(index);
    this.nodes[index].setAttribute("aria-pressed", String(page.marks.has(index)));
    this.move(index);
    this.count();
  }

  invert() {
    this.page?.cards.forEach((_, index) => {
      if (this.page.marks.has(index)) this.page.marks.delete(index);
      else this.page.marks.add(index);
      this.nodes[index].setAttribute("aria-pressed", String(this.page.marks.has(index)));
    });
    this.count();
  }

  count() {
    const { cards, direction } = this.page;
    const change = cards.filter((_, index) => changes(this.page, index)).length;
    const stay = cards.length - change;
    this.settleText.textContent = `Settle all ${cards.length}`;
    const verb = (direction === "missing" ? "get" : "lose") + (change === 1 ? "s" : "");
    this.settleEffect.textContent = `${change} ${verb} the label, ${stay} stay${stay === 1 ? "s" : ""} as ${stay === 1 ? "it is" : "they are"}`;
  }

  move(index) {
    this.nodes[this.focus]?.setAttribute("tabindex", "-1");
    this.focus = Math.max(0, Math.min(this.nodes.length - 1, index));
    this.nodes[this.focus].setAttribute("tabindex", "0");
    this.nodes[this.focus].focus({ preventScroll: false });
  }

  arrow(code) {
    if (!this.page) return;
    const columns = getComputedStyle(this.tiles).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[code];
    this.move(this.node.getRootNode().activeElement?.classList.contains("tile") ? this.focus + step : this.focus);
  }

  settle() {
    const page = this.page;
    if (!page || !this.ready) return;
    const seconds = Math.round((performance.now() - this.since) / page.cards.length) / 1000;
    const made = page.cards.map((card, index) => {
      const value = changes(page, index) ? card.suggested : card.given;
      return this.app.decision(card, value === 1 ? "yes" : "no", { source: "grid", seconds });
    });
    const settled = new Set(page.cards.map((card) => card.group));
    this.withdraw((card) => settled.has(card.group));
    this.pages.shift();
    for (const card of page.cards) this.answered.add(card.position);
    this.present();
    const rows = this.app.session.decide(made);
    this.app.remember({ mode: "grid", page, cards: page.cards, rows });
  }

  takeBack(entry) {
    const page = entry.page ?? startMarks({ label: entry.cards[0].label, direction: entry.cards[0].direction, cards: entry.cards });
    page.marks = new Set(page.marks);
    for (const card of page.cards) this.answered.delete(card.position);
    this.pages.unshift(page);
    this.prefetch();
    this.present();
  }
}
