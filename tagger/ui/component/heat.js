// Heat maps: the server's grey map is scaled, coloured and laid over the photo here. Part of CardView.
// The chosen method (Grad-CAM, ...) is kept while this tab is open.

const METHOD_KEY = "tagger/heat";

CardView.prototype.toggleHeat = function () {
  const card = this.card;
  if (!card || card.blind || !this.app.data.heat) return;
  if (this.methods.hidden) this.showHeat(this.method());
  else this.hideHeat();
};

CardView.prototype.method = function () {
  const names = this.app.data.heat.map(([name]) => name);
  const kept = recall(METHOD_KEY, "sessionStorage");
  return names.includes(kept) ? kept : names[0];
};

CardView.prototype.nextMethod = function () {
  const card = this.card;
  if (!card || card.blind || !this.app.data.heat) return;
  if (this.methods.hidden) return this.toggleHeat();
  const names = this.app.data.heat.map(([name]) => name);
  this.showHeat(names[(names.indexOf(this.method()) + 1) % names.length]);
};

CardView.prototype.showHeat = async function (method) {
  const card = this.card;
  keep(METHOD_KEY, method, "sessionStorage");
  this.showMethods(method);
  const asked = (this.asked = {}); // only the answer to the latest request is painted
  const busy = setTimeout(() => this.heatButton.classList.add("busy"), 150);
  try {
    const answer = await fetch(`/tagger/heat/${card.row}/${card.k}?method=${method}${runParameter(this.app.data)}`);
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

CardView.prototype.showMethods = function (method) {
  const button = ([name, title]) =>
    el("button", { class: "way", type: "button", "data-way": name, "aria-pressed": String(name === method), text: title, onclick: () => this.showHeat(name) });
  this.methods.replaceChildren(...this.app.data.heat.map(button), key("M"));
  this.methods.hidden = false;
  this.heatButton.classList.add("active");
};

CardView.prototype.hideHeat = function () {
  this.asked = null;
  this.heat.hidden = true;
  this.methods.hidden = true;
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
  for (let index = 0; index < pixels.data.length; index += 4) {
    const heat = pixels.data[index] / 255;
    most = Math.max(most, pixels.data[index]);
    pixels.data[index] = 255; // yellow where it looks, through red, to nothing
    pixels.data[index + 1] = 220 * heat * heat;
    pixels.data[index + 2] = 40;
    pixels.data[index + 3] = 190 * Math.min(1, heat * 1.3);
  }
  this.heat.hidden = most < 8;
  if (most < 8) return this.app.nudge("The heat map is empty: this method finds no place that speaks for the label. Try another (M).");
  pen.putImageData(pixels, 0, 0);
  this.placeHeat();
  this.heat.dataset.way = this.method(); // what is on screen, for tests
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
