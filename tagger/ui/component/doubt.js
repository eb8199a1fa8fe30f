// Words and default answer that follow from a doubt, the probability that a label is wrong: never more than is known.

const LIKELY = 0.5; // from here on a change is more likely right than the label as it is

// The answer that Enter gives: 1 yes, 0 no, null none. A change only where it is likely, else the label as it is.
function defaultAnswer(card) {
  if (card.blind || card.suggested === null) return null;
  if (card.doubt >= LIKELY) return card.suggested;
  return card.given < 0 ? null : card.given;
}

// "about 1 in 20": how many labels of such a doubt are wrong, in words that need no knowledge of probability.
function share(doubt) {
  if (doubt > 0.95) return "nearly all";
  if (doubt >= LIKELY) return `about ${Math.round(10 * doubt)} in 10`;
  if (doubt < 1 / 1500) return "fewer than 1 in 1,000";
  const far = (number) => Math.abs(Math.log(number * doubt));
  const nearest = [2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1000].reduce((a, b) => (far(b) < far(a) ? b : a));
  return `about 1 in ${nearest.toLocaleString("en")}`;
}

function claimOf(card) {
  if (card.blind) return ["Please check. This card has no suggestion."];
  if (card.suggested === null) return [`Label given: ${word(card.given)}.`];
  const missing = card.direction === "missing";
  const rate = `${share(card.doubt)} like this ${/^about 1 in/.test(share(card.doubt)) ? "is" : "are"} wrong`;
  if (card.doubt >= LIKELY) {
    return [el("span", { class: "tag", text: missing ? "Probably missing" : "Probably not in the photo" }), ` ${rate}`];
  }
  return [`The photo ${missing ? "is without" : "has"} the label; ${rate}.`];
}

// The marks that a page begins with, and what they mean: the rarer answer is marked, each photo on its likelier side.
function startMarks(page) {
  const likely = page.cards.map((card) => card.doubt >= LIKELY);
  page.marksChange = 2 * likely.filter(Boolean).length <= page.cards.length;
  page.marks = new Set([...page.cards.keys()].filter((index) => likely[index] === page.marksChange));
  return page;
}

function changes(page, index) {
  return page.marks.has(index) === page.marksChange;
}

// Whether a marked photo is one that shows the label, not one that does not.
function marksShow(page) {
  return (page.direction === "missing") === page.marksChange;
}
