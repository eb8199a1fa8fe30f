// DOM elements without markup: every text goes in as textContent, so that a file named <script> is only a name.

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function key(text) {
  return el("kbd", { text, "aria-hidden": "true" }); // a screen reader gets aria-keyshortcuts instead
}

function name(text) {
  return el("b", { class: "name", text, dir: "auto" });
}

// "18 of its 25 most similar photos have `sea`": what stands in backticks is a name
function withNames(text) {
  return String(text).split("`").map((part, index) => (index % 2 ? name(part) : part)).filter((part) => part !== "");
}

function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}
