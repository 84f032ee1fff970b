// A grid of digits from one sheet of pictures. Each digit is a button that says which image was opened.
const [SIZE, SMALL] = [84, 56]; // 3 × 28 pixels, and 2 × 28
const instances = new WeakMap();

function isLight(colour) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour || "#fff";
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return red + green + blue > 382;
}

const span = (className, text) => html("span", className, text);

// What several runs guess: a line each with the confidence, or only the digits where there are many.
function votes(list) {
  const all = span("votes", "");
  for (const vote of list) {
    const one = span(vote.right ? "vote right" : "vote", "");
    const mark = span("mark", "");
    mark.style.background = vote.colour;
    one.append(mark, span("said", vote.guess), " ", span("sure", vote.sure));
    all.append(one, " ");
  }
  return all;
}

function button(item, place, columns, size) {
  const element = html("button", "");
  element.type = "button";
  element.dataset.index = item.index;
  // the name of a button contains what is written on it, for people who speak to their computer
  const voted = (item.votes ?? []).flatMap((vote) => [vote.guess, vote.sure]);
  const written = [item.guess, ...(item.votes ? voted : [item.sure]), item.badge].filter(Boolean).join(" ");
  element.setAttribute("aria-label", `${written}. ${item.description}`);
  element.title = item.description;
  const picture = span("picture", "");
  showPicture(picture, place, columns, size);
  // the spaces are not drawn; they keep the parts apart where the button is read as text
  element.append(picture, span("guess", item.guess), " ", item.votes ? votes(item.votes) : span("sure", item.sure));
  if (item.badge) element.append(" ", span("badge", item.badge));
  return element;
}

// One button of the gallery is a stop of the Tab key; the arrow keys lead to the others.
function makeStop(root, chosen) {
  for (const other of root.querySelectorAll("button")) other.tabIndex = other === chosen ? 0 : -1;
}

function move(root, event) {
  const buttons = [...root.querySelectorAll("button")];
  const from = buttons.indexOf(event.target.closest("button"));
  const columns = buttons.filter((other) => other.offsetTop === buttons[0].offsetTop).length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const ends = { Home: 0, End: buttons.length - 1 };
  const target = buttons[ends[event.key] ?? from + steps[event.key]];
  if (from < 0 || !(event.key in steps || event.key in ends)) return;
  event.preventDefault();
  if (!target) return;
  makeStop(root, target);
  target.focus();
}

// When the enlarged digit is closed, the focus goes back to the digit that was shown last, not to the top of the page.
function returnFocus(root, opened) {
  let last = null;
  const watch = new MutationObserver(() => {
    if (document.querySelector('[role="dialog"]')) {
      last = new URLSearchParams(location.search).get("digit") ?? last ?? opened.dataset.index;
    } else if (last !== null) {
      watch.disconnect();
      const find = (index) => root.querySelector(`button[data-index="${index}"]`);
      const target = find(last) ?? find(opened.dataset.index) ?? root.querySelector("button");
      // after the dialog has given the focus to the page
      if (target) setTimeout(() => (makeStop(root, target), target.focus()), 100);
    }
  });
  watch.observe(document.body, { childList: true, subtree: true });
  return watch;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery");
  const size = data.small ? SMALL : SIZE;
  const known = instances.get(parentElement) ?? {};
  instances.set(parentElement, known);
  useSheet(root, known, data.sheet, data.columns, size);
  const items = JSON.stringify(data.items);
  if (known.items !== items) {
    known.items = items;
    root.replaceChildren(...data.items.map((item, place) => button(item, place, data.columns, size)));
    makeStop(root, root.querySelector("button"));
  }
  root.classList.toggle("paper", isLight(getComputedStyle(root).getPropertyValue("--st-background-color").trim()));
  root.classList.toggle("small", Boolean(data.small));
  root.onclick = (event) => {
    const opened = event.target.closest("button");
    if (!opened) return;
    makeStop(root, opened);
    known.watch?.disconnect();
    known.watch = returnFocus(root, opened);
    setTriggerValue("opened", Number(opened.dataset.index));
  };
  root.onkeydown = (event) => move(root, event);
  return () => {
    dropSheet(known);
    known.watch?.disconnect();
    instances.delete(parentElement);
  };
}
