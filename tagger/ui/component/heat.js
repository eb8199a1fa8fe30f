// Where does the model look? The server sends a small grey map; it is scaled, coloured and laid over the photo here.

CardView.prototype.toggleHeat = async function () {
  const card = this.card;
  if (!card || card.blind || !this.app.data.heat) return;
  if (!this.heat.hidden) return this.hideHeat();
  const busy = setTimeout(() => this.heatButton.classList.add("busy"), 150);
  try {
    const answer = await fetch(`/tagger/heat/${card.row}/${card.k}`);
    if (!answer.ok) throw new Error(await answer.text());
    const map = await createImageBitmap(await answer.blob());
    if (this.card === card) this.paint(map);
  } catch (error) {
    this.app.nudge(`There is no heat map for this photo. ${error.message.slice(0, 200)}`);
  } finally {
    clearTimeout(busy);
    this.heatButton.classList.remove("busy");
  }
};

CardView.prototype.hideHeat = function () {
  this.heat.hidden = true;
  this.heatButton.classList.remove("active");
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
  if (most < 8) return this.app.nudge("The model does not look at any place in particular.");
  pen.putImageData(pixels, 0, 0);
  this.placeHeat();
  this.heat.hidden = false;
  this.heatButton.classList.add("active");
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
