// Where does the model look? The server sends a small grey map; it is scaled, coloured and laid over the photo here.
// There are several ways to ask (Grad-CAM, ...): the chosen one is kept while this tab is open.

const WAY = "tagger/heat";

CardView.prototype.toggleHeat = function () {
  const card = this.card;
  if (!card || card.blind || !this.app.data.heat) return;
  if (this.ways.hidden) this.showHeat(this.way());
  else this.hideHeat();
};

CardView.prototype.way = function () {
  const names = this.app.data.heat.map(([name]) => name);
  const kept = recall(WAY, "sessionStorage");
  return names.includes(kept) ? kept : names[0];
};

CardView.prototype.nextWay = function () {
  const card = this.card;
  if (!card || card.blind || !this.app.data.heat) return;
  if (this.ways.hidden) return this.toggleHeat();
  const names = this.app.data.heat.map(([name]) => name);
  this.showHeat(names[(names.indexOf(this.way()) + 1) % names.length]);
};

CardView.prototype.showHeat = async function (way) {
  const card = this.card;
  keep(WAY, way, "sessionStorage");
  this.offerWays(way);
  const asked = (this.asked = {}); // only the answer to the last question is painted
  const busy = setTimeout(() => this.heatButton.classList.add("busy"), 150);
  try {
    const answer = await fetch(`/tagger/heat/${card.row}/${card.k}?method=${way}`);
    if (!answer.ok) throw new Error(await answer.text());
    const map = await createImageBitmap(await answer.blob());
    if (this.asked === asked) this.paint(map);
  } catch (error) {
    if (this.asked !== asked) return;
    this.heat.hidden = true;
    this.app.nudge(`There is no heat map for this photo. ${error.message.slice(0, 200)}`);
  } finally {
    clearTimeout(busy);
    if (this.asked === asked) this.heatButton.classList.remove("busy");
  }
};

CardView.prototype.offerWays = function (way) {
  const button = ([name, title]) =>
    el("button", { class: "way", type: "button", "data-way": name, "aria-pressed": String(name === way), text: title, onclick: () => this.showHeat(name) });
  this.ways.replaceChildren(...this.app.data.heat.map(button), key("M"));
  this.ways.hidden = false;
  this.heatButton.classList.add("active");
};

CardView.prototype.hideHeat = function () {
  this.asked = null;
  this.heat.hidden = true;
  this.ways.hidden = true;
  this.heatButton.classList.remove("active", "busy");
};

CardView.prototype.paint = function (map) {
  const { width, height } = this.heat;
  const pen = this.heat.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.clearRect(0, 0, width, height);
  pen.drawImage(map, 0, 0, width, height);
  const pixels = pen.getImageData(0, 0, width, height);
  let most = 0;
  for (let place = 0; place < pixels.data.length; place += 4) {
    const heat = pixels.data[place] / 255;
    most = Math.max(most, pixels.data[place]);
    pixels.data[place] = 255; // yellow where it looks, through red, to nothing
    pixels.data[place + 1] = 220 * heat * heat;
    pixels.data[place + 2] = 40;
    pixels.data[place + 3] = 190 * Math.min(1, heat * 1.3);
  }
  this.heat.hidden = most < 8;
  if (most < 8) return this.app.nudge("The model does not look at any place in particular.");
  pen.putImageData(pixels, 0, 0);
  this.placeHeat();
  this.heat.dataset.way = this.way(); // what is on screen, for tests
};

// The photo is fitted into its frame: the map covers the photo, not the frame.
CardView.prototype.placeHeat = function () {
  const photo = this.stage.querySelector("img");
  if (!photo) return;
  const box = this.stage.getBoundingClientRect();
  const scale = Math.min(box.width / photo.naturalWidth, box.height / photo.naturalHeight);
  const [width, height] = [photo.naturalWidth * scale, photo.naturalHeight * scale];
  Object.assign(this.heat.style, {
    width: `${width}px`,
    height: `${height}px`,
    left: `${(box.width - width) / 2}px`,
    top: `${(box.height - height) / 2}px`,
  });
};
