// Review component: a head line, the card or the grid, and what both share (undo, saving, help).
// Streamlit runs the default export again on every rerun; the view lives in a WeakMap by its parent element.

const UNDO_STEPS = 200;
const sessions = new Map(); // one outbox for each store, for as long as the document lives
const views = new WeakMap();

// Rows are those of the run that is shown: another than the app was opened on is named.
const runParameter = (data) => (data.other ? `&run=${encodeURIComponent(data.run)}` : "");

class Review {
  constructor(root, data) {
    this.data = data;
    if (!sessions.has(data.place)) sessions.set(data.place, new Session(data.place));
    this.session = sessions.get(data.place);
    this.session.history ??= [];
    this.photos = new Photos((item, size) => this.url(item, size));
    this.card = new CardView(this);
    this.grid = new GridView(this);
    this.mode = data.mode === "grid" ? "grid" : recall("tagger/mode") === "grid" ? "grid" : "card";
    this.replies = new Map();
    this.onKey = (event) => this.guard(() => onKey(event, this));
    this.onResize = () => this.guard(() => this.card.placeHeat());
    this.build(root);
  }

  build(root) {
    const tab = (mode, text) =>
      el("button", { type: "button", class: "tab", "data-mode": mode, onclick: () => this.setMode(mode) }, text);
    this.tabs = [tab("card", "One photo"), tab("grid", "Many photos")];
    this.progress = el("div", { class: "progress" });
    this.saving = el("div", { class: "saving", role: "status" });
    this.live = el("div", { class: "spoken", "aria-live": "polite" });
    this.toast = el("div", { class: "toast", role: "alert", hidden: true });
    this.help = makeHelp(() => this.toggleHelp(false));
    const helper = el("button", { class: "small round", type: "button", "aria-label": "Keyboard shortcuts", "aria-keyshortcuts": "?", onclick: () => this.toggleHelp(true) }, "?");
    this.root = el(
      "div",
      { class: "tagger", tabindex: "-1" },
      el("div", { class: "head" }, el("div", { class: "tabs", role: "group", "aria-label": "View" }, ...this.tabs), this.progress, this.saving, helper),
      this.card.node,
      this.grid.node,
      this.toast,
      this.live,
      this.help,
    );
    // After a click the keys belong to the cards again, not to the button that was clicked.
    this.root.addEventListener("click", (event) => event.detail > 0 && !this.help.open && this.root.focus({ preventScroll: true }));
    root.append(this.root);
  }

  // Called on every rerun of the page
  update(component) {
    const { data } = component;
    const filter = JSON.stringify([data.filter, data.reviewer, data.run]);
    const changed = this.filter !== undefined && this.filter !== filter;
    this.data = data;
    this.filter = filter;
    this.component = component;
    this.session.view = this;
    this.session.send = data.served ? (payload) => this.post(payload) : (payload) => this.trigger(payload);
    if (data.reply && this.replies.has(data.reply.id)) {
      this.replies.get(data.reply.id)(data.reply);
      this.replies.delete(data.reply.id);
    }
    if (!this.attached) this.attach();
    if (changed) {
      this.exhausted = undefined;
      this.card.reset();
      this.grid.reset();
      this.root.focus({ preventScroll: true }); // the keys leave the filter that was just chosen
      this.session.sync();
    }
  }

  attach() {
    this.attached = true;
    window.addEventListener("keydown", this.onKey, true);
    window.addEventListener("resize", this.onResize);
    this.setMode(this.mode);
    this.root.focus({ preventScroll: true });
  }

  detach() {
    this.attached = false;
    window.removeEventListener("keydown", this.onKey, true);
    window.removeEventListener("resize", this.onResize);
    if (this.session.view === this) this.session.view = { request: () => ({ mode: "none" }), receive() {}, show() {} };
  }

  get view() {
    return this.mode === "grid" ? this.grid : this.card;
  }

  setMode(mode) {
    this.mode = mode;
    keep("tagger/mode", mode);
    this.card.node.hidden = mode !== "card";
    this.grid.node.hidden = mode !== "grid";
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.mode === mode));
    this.view.prefetch();
    this.view.present();
    this.session.sync();
  }

  request() {
    const { run, reviewer, filter } = this.data;
    return { run, reviewer, filter, ...this.view.request() };
  }

  receive(reply, payload) {
    if (payload.mode !== this.mode || payload.run !== this.data.run || JSON.stringify(payload.filter) !== JSON.stringify(this.data.filter)) {
      this.session.again = true; // asked before the person went elsewhere
      return;
    }
    for (const [, , reason] of reply.refused) this.nudge(`Not saved: ${reason}`);
    this.exhausted = reply.exhausted ?? undefined;
    this.showProgress(reply.progress);
    this.guard(() => this.view.receive(reply, payload));
  }

  decision(card, verdict, more = {}) {
    const before = card.labels?.find((label) => label.name === card.label)?.value ?? card.given;
    return {
      hash: card.hash, label: card.label, verdict, before: card.current ?? before, suggested: card.suggested, doubt: card.doubt,
      blind: card.blind, position: card.position, run: this.data.run, reviewer: this.data.reviewer, source: "card", seconds: null,
      settles: Boolean(this.data.filter.disputed), group: card.group,
      ...more,
    };
  }

  remember(entry) {
    this.session.history.push(entry);
    if (this.session.history.length > UNDO_STEPS) this.session.history.shift();
  }

  undo() {
    const entry = this.session.history.pop();
    if (!entry) return this.nudge("Nothing to undo here. Older decisions: page Photos, history of the photo.");
    const cards = entry.mode === "edit" ? [{ ...entry.card, label: entry.label.name }] : entry.run ?? entry.cards;
    this.session.decide(
      entry.rows.map(({ seq }, index) => this.decision(cards[index], "undo", { position: -1, undoes_seq: seq, source: entry.mode === "run" ? "card" : entry.mode })),
    );
    const mode = entry.mode === "grid" ? "grid" : "card";
    if (mode !== this.mode) this.setMode(mode);
    this.view.takeBack(entry);
    this.announce("Undone");
  }

  url(item, size) {
    if (!this.data.served) return item.src ?? "";
    return `/tagger/img/${item.row}?s=${size}&v=${item.hash.slice(0, 16)}${runParameter(this.data)}`;
  }

  async post(payload, more = {}) {
    const body = JSON.stringify(payload);
    const answer = await fetch("/tagger/review", {
      method: "POST",
      body,
      keepalive: body.length < 60000, // it goes out even if the tab is closed now
      headers: { "Content-Type": "application/json", "X-Tagger-Token": this.data.token },
      ...more,
    });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  }

  trigger(payload) {
    const id = randomId();
    this.component.setTriggerValue("ask", { ...payload, id });
    return new Promise((resolve) => this.replies.set(id, resolve));
  }

  sendLast(payload) {
    if (this.data.served) this.post({ ...this.request(), ...payload, mode: "none" }).catch(() => {});
  }

  showProgress(progress) {
    if (!progress) return;
    const done = progress.decided + progress.left ? (100 * progress.decided) / (progress.decided + progress.left) : 0;
    const text = `${progress.decided.toLocaleString("en")} decided · ${plural(progress.found, "wrong label")} found · ${progress.left.toLocaleString("en")} left`;
    const bar = el("span", { class: "bar" }, el("span", { class: "fill", style: `width:${done.toFixed(1)}%` }));
    this.progress.replaceChildren(bar, el("span", { class: "count", text }));
  }

  show({ waiting, failures }) {
    const text = failures
      ? `Not connected: ${waiting} waiting to be saved, kept in this browser`
      : waiting > 2 ? `${waiting} waiting to be saved` : waiting ? "Saving…" : "All saved";
    this.saving.classList.toggle("trouble", failures > 0);
    if (failures && this.mode === "card") this.guard(() => this.card.goOn());
    if (this.saving.textContent !== text) this.saving.textContent = text;
  }

  describeEmpty(node) {
    const text = this.exhausted === undefined ? ["Loading…", ""] : this.exhausted;
    node.replaceChildren(el("h2", { text: text[0] }), el("p", { text: text[1] }));
  }

  announce(text) {
    this.live.textContent = text;
  }

  nudge(text) {
    this.toast.textContent = text;
    this.toast.hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => (this.toast.hidden = true), 2600);
  }

  toggleHelp(open) {
    if (open) this.help.showModal();
    else this.help.close(), this.root.focus({ preventScroll: true });
  }

  // An exception in a callback would unmount the component.
  guard(act) {
    try {
      act();
    } catch (error) {
      console.error("tagger", error);
    }
  }
}

function recall(name, where = "localStorage") {
  try {
    return window[where].getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value, where = "localStorage") {
  try {
    window[where].setItem(name, value);
  } catch {
    // only a convenience
  }
}

export default function (component) {
  const { parentElement, data } = component;
  let view = views.get(parentElement);
  if (!view) {
    view = new Review(parentElement, data);
    views.set(parentElement, view);
  }
  view.update(component);
  return () => view.detach();
}
