// Outbox: decisions that the server has not acknowledged yet, kept in localStorage. Neither a refresh, nor a closed
// tab, nor a killed server loses one; (client, seq) makes sending one again harmless.

const STORED = "tagger/outbox/";

class Outbox {
  constructor(storeId, storage) {
    this.prefix = `${STORED}${storeId}/`; // another app on this port has another store
    this.storage = storage;
    this.client = randomId(); // new for each page load: a duplicated tab must not use the same numbers
    this.seq = 0;
    this.waiting = []; // ours
    this.orphans = new Map(); // client -> decisions that an earlier page left behind
    this.loadOrphans();
  }

  loadOrphans() {
    try {
      for (const name of Object.keys(this.storage)) {
        if (!name.startsWith(this.prefix)) continue;
        const rows = JSON.parse(this.storage.getItem(name));
        if (Array.isArray(rows) && rows.length) this.orphans.set(name.slice(this.prefix.length), rows);
      }
    } catch {
      // no storage, or somebody else's: nothing was left behind
    }
  }

  push(decisions) {
    for (const decision of decisions) this.waiting.push({ ...decision, seq: ++this.seq, client: this.client });
    this.keep(this.client, this.waiting);
    return this.waiting.slice(-decisions.length);
  }

  get count() {
    return this.waiting.length + [...this.orphans.values()].reduce((sum, rows) => sum + rows.length, 0);
  }

  rows(limit = 400) {
    return [...[...this.orphans.values()].flat(), ...this.waiting].slice(0, limit);
  }

  // done: [[client, seq], ...] that the server has saved, or refused for good
  acknowledge(done) {
    const keys = new Set(done.map(([client, seq]) => `${client}/${seq}`));
    const left = (row) => !keys.has(`${row.client}/${row.seq}`);
    this.waiting = this.waiting.filter(left);
    this.keep(this.client, this.waiting);
    for (const [client, rows] of this.orphans) {
      const rest = rows.filter(left);
      this.keep(client, rest);
      if (rest.length) this.orphans.set(client, rest);
      else this.orphans.delete(client);
    }
  }

  keep(client, rows) {
    try {
      if (rows.length) this.storage.setItem(this.prefix + client, JSON.stringify(rows));
      else this.storage.removeItem(this.prefix + client);
    } catch {
      // a private window may refuse; the decisions are still in memory
    }
  }
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
