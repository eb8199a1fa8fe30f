// Cache of photos, fetched and decoded ahead, so that the next one is on screen within a frame.

const KEPT = 120;

class Photos {
  constructor(url) {
    this.url = url; // (item, size) => address
    this.kept = new Map(); // address -> { node, done }
  }

  // { node: <img> decoded or not yet, done: Promise of true (shown) or false (cannot be) }
  get(item, size) {
    const address = this.url(item, size);
    const known = this.kept.get(address);
    if (known) {
      this.kept.delete(address); // the latest used are last
      this.kept.set(address, known);
      return known;
    }
    const node = el("img", { alt: "", draggable: "false", decoding: "async" });
    const entry = { node, ready: false, done: null, tries: 0 };
    if (!address) {
      entry.done = Promise.resolve(false);
    } else {
      node.src = address;
      entry.done = node.decode().then(() => (entry.ready = true), () => this.retry(node, entry));
    }
    this.kept.set(address, entry);
    for (const old of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      if (!this.kept.get(old).node.isConnected) this.kept.delete(old);
      else break;
    }
    return entry;
  }

  // The server may be away (then it is asked until it is back), or it says that the photo cannot be shown.
  async retry(node, entry) {
    const address = node.src;
    for (let pause = 300; ; pause = Math.min(2 * pause, 2000)) {
      try {
        const answer = await fetch(address);
        if (!answer.ok) break;
        node.src = "";
        node.src = address;
        if (entry.tries++ > 2) break; // it arrives, but this browser cannot read it
        await node.decode();
        return (entry.ready = true);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    this.kept.delete(address); // asked for again when it is wanted again
    return false;
  }
}

function stageSize(element) {
  const pixels = Math.max(element.clientWidth, element.clientHeight) * (window.devicePixelRatio || 1);
  return pixels <= 560 ? 512 : pixels <= 1200 ? 1024 : 1600;
}
