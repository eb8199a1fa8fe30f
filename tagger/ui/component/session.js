// Sync with the server: the outbox goes out, the next cards come back; failures are retried, later and later.
// One request at a time. Decisions stay in the outbox until the server has them.

const RETRY_MS = [300, 600, 1200, 2500, 5000];
const TIMEOUT_MS = 20000;

class Session {
  constructor(storeId) {
    this.outbox = new Outbox(storeId, safeStorage());
    this.send = null; // (payload) => Promise of the reply; set by the view
    this.view = null; // the Review: { request(), receive(reply), show(status) }
    this.busy = false;
    this.again = false;
    this.failures = 0;
    addEventListener("online", () => this.sync());
    addEventListener("pagehide", () => this.sendLast());
    setInterval(() => this.sync(), 25000); // renews the leases of the cards on screen
  }

  decide(decisions) {
    const rows = this.outbox.push(decisions);
    this.sync();
    return rows.map((row) => ({ client: row.client, seq: row.seq }));
  }

  async sync() {
    if (this.busy) {
      this.again = true;
      return;
    }
    if (!this.send || !this.view) return;
    this.busy = true;
    this.again = false;
    const rows = this.outbox.rows();
    const payload = { client: this.outbox.client, decisions: rows, ...this.view.request() };
    this.view.show(this.status());
    try {
      const reply = await withTimeout(this.send(payload), TIMEOUT_MS);
      this.failures = 0;
      this.outbox.acknowledge([...reply.saved, ...reply.refused]);
      this.view.receive(reply, payload);
    } catch (error) {
      this.failures += 1;
      setTimeout(() => this.sync(), RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1]);
    }
    this.busy = false;
    this.view?.show(this.status());
    if (this.again || (this.failures === 0 && this.outbox.count > 0)) this.sync();
  }

  // Cards that the page has: the server keeps them for it, and says which it has given to another reviewer, and which
  // were made before an answer about the same photo.
  static held(cards) {
    return cards.map((card) => [card.position, card.hash, card.label, card.seen]);
  }

  // Groups of photos that show the same, with an answer that the server does not know of yet: cards made without it
  // are not shown.
  get unsettled() {
    return new Set(this.outbox.waiting.map((row) => row.group).filter((group) => group !== undefined));
  }

  status() {
    return { waiting: this.outbox.count, failures: this.failures };
  }

  sendLast() {
    if (!this.view?.sendLast) return;
    const rows = this.outbox.rows(100); // a page that closes may send 64 kB
    this.view.sendLast({ client: this.outbox.client, decisions: rows, release: true });
  }
}

function withTimeout(promise, milliseconds) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function safeStorage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
