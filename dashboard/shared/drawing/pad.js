// A pad to draw a digit on, what the networks see of it, and ten bars for each of them.
const NETWORKS = Symbol.for("digit classifiers: networks");
const MOST_UNDO = 40;
const pads = new WeakMap();

function colourOf(root, name) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(root).getPropertyValue(name).trim() || "#000";
  probe.fillRect(0, 0, 1, 1);
  return probe.getImageData(0, 0, 1, 1).data;
}

// Ink in the colour of the text: on paper in the light theme, chalk on a blackboard in the dark one.
function paint(canvas, ink, side, [red, green, blue]) {
  const picture = new ImageData(side, side);
  for (let place = 0; place < side * side; place++) picture.data.set([red, green, blue, ink[place]], 4 * place);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

function percent(share) {
  return share >= 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

const best = (shares) => shares.indexOf(Math.max(...shares));

// One run: its name, its guess, ten bars, and what it would say with the digit placed otherwise.
function card(run) {
  const made = html("section", "card");
  made.dataset.run = run.id;
  made.style.setProperty("--run", run.colour);
  const head = html("div", "head");
  head.append(html("span", "name", run.label), html("span", "guess", "–"), html("span", "sure", ""));
  const bars = html("div", "bars");
  bars.setAttribute("role", "img");
  for (let digit = 0; digit < 10; digit++) {
    const bar = html("div", "bar");
    const track = html("div", "track");
    track.append(html("div", "fill"));
    bar.append(track, html("span", "digit", digit));
    bars.append(bar);
  }
  made.append(head, bars);
  if (run.off_words) made.append(html("div", "off", run.off_words));
  made.append(html("div", "note", ""));
  return made;
}

class Pad {
  constructor(root) {
    this.root = root;
    this.ink = new Uint8Array(PAD * PAD);
    this.before = [];
    this.tool = "pen";
    this.cursor = [13, 13]; // row and column of the keyboard's cell
    this.count = 0;
    this.find = (selector) => root.querySelector(selector);
    this.canvas = this.find(".ink");
    this.listen();
  }

  // From Python: on every rerun.
  take(data, setStateValue) {
    this.data = data;
    this.setStateValue = setStateValue;
    this.colour = colourOf(this.root, "--st-text-color");
    this.root.classList.toggle("large", data.large);
    this.root.classList.toggle("few-tools", data.few_tools);
    if (data.few_tools) this.choose("pen"); // a hidden eraser would go on
    const runs = JSON.stringify(data.runs);
    if (this.runs !== runs) {
      this.runs = runs;
      this.find(".answers").replaceChildren(...data.runs.map(card));
    }
    if (data.load && data.load.stamp !== this.loaded) {
      this.loaded = data.load.stamp;
      if (this.stamp !== data.load.stamp) {
        this.ink = fromBase64(data.load.ink);
        this.before = [];
        this.stamp = data.load.stamp;
      }
    }
    this.redraw();
  }

  // The server's answers to the drawing as it is: they replace what was computed here.
  settle(own) {
    let apart = 0;
    const said = [];
    for (const run of this.data.runs) {
      const shares = this.data.answers[run.id];
      if (!shares) continue;
      this.show(run, shares, "server");
      own[run.id]?.forEach((share, digit) => (apart = Math.max(apart, Math.abs(share - shares[digit]))));
      said.push(`${run.label}: ${best(shares)} at ${percent(shares[best(shares)])}`);
    }
    this.root.dataset.apart = apart;
    this.root.dataset.answered = this.stamp;
    const text = said.length ? `${said.join("; ")}.` : "";
    if (this.find(".spoken").textContent !== text) this.find(".spoken").textContent = text;
  }

  answersHere() {
    const found = {};
    if (!this.picture.some((value) => value)) return found;
    for (const run of this.data.runs) {
      const known = globalThis[NETWORKS]?.get(run.network);
      if (known) found[run.id] = probabilities(known, this.picture, run.off);
    }
    return found;
  }

  show(run, shares, source) {
    const made = this.find(`.card[data-run="${run.id}"]`);
    made.dataset.source = source;
    made.querySelectorAll(".fill").forEach((fill, digit) => {
      fill.style.height = shares ? `${Math.max(100 * shares[digit], 0.5)}%` : "0";
      fill.parentElement.parentElement.classList.toggle("best", !!shares && digit === best(shares));
    });
    made.querySelector(".guess").textContent = shares ? best(shares) : "–";
    made.querySelector(".sure").textContent = shares ? percent(shares[best(shares)]) : "";
    const order = shares ? [...shares.keys()].sort((a, b) => shares[b] - shares[a]) : [];
    const words = order.slice(0, 3).filter((digit, place) => !place || shares[digit] >= 0.0005).map((digit) => `${digit} at ${percent(shares[digit])}`).join(", then ");
    made.querySelector(".bars").setAttribute("aria-label", `${run.label}: ${words || "no answer yet"}`);
    const other = source === "server" ? this.data.others?.[run.id] : undefined;
    const waiting = source === "waiting" ? "answers when the stroke ends" : "";
    made.querySelector(".note").textContent =
      other === undefined ? waiting : `${this.data.otherwise} ${best(other)} at ${percent(other[best(other)])}`;
  }

  redraw() {
    paint(this.canvas, this.ink, PAD, this.colour);
    this.picture = edited(seen(this.ink, this.data.centred), this.data.table);
    paint(this.find(".seen"), this.picture, SIDE, this.colour);
    const blank = !this.ink.some((value) => value);
    this.root.classList.toggle("blank", blank);
    this.find(".clear").disabled = blank;
    this.find(".undo").disabled = !this.before.length;
    const own = this.answersHere();
    const settled = this.stamp && this.data.stamp === this.stamp && !this.changing;
    for (const run of this.data.runs) {
      if (settled && this.data.answers[run.id]) continue;
      if (own[run.id]) this.show(run, own[run.id], "page");
      else if (blank) this.show(run, null, "blank");
      else {
        const made = this.find(`.card[data-run="${run.id}"]`);
        made.dataset.source = "waiting";
        made.querySelector(".note").textContent = "answers when the stroke ends";
      }
    }
    if (settled) this.settle(own);
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.redraw();
    });
  }

  // A change begins, and ends with `send`; between the two, no answer of the server is to what is on the pad.
  remember() {
    this.changing = true;
    this.before.push(this.ink.slice());
    if (this.before.length > MOST_UNDO) this.before.shift();
  }

  // The stroke is done: the server is asked. One message holds the whole pad, so that none depends on another.
  send() {
    this.changing = false;
    this.count += 1;
    this.stamp = `${Date.now().toString(36)}-${this.count}`;
    this.root.dataset.sent = this.stamp;
    this.redraw();
    this.setStateValue("drawing", { stamp: this.stamp, ink: toBase64(this.ink) });
  }

  // A line from one point of the pad to another, with a smooth edge; the eraser takes a little more than the pen.
  stroke([fromX, fromY], [toX, toY], erase) {
    const radius = (Number(this.find(".thickness input").value) * PAD) / SIDE / 2 + (erase ? 2 : 0);
    const [dx, dy] = [toX - fromX, toY - fromY];
    const length = dx * dx + dy * dy;
    const inside = (value) => Math.min(Math.max(value, 0), PAD - 1);
    const [top, bottom] = [inside(Math.floor(Math.min(fromY, toY) - radius - 1)), inside(Math.ceil(Math.max(fromY, toY) + radius))];
    const [left, right] = [inside(Math.floor(Math.min(fromX, toX) - radius - 1)), inside(Math.ceil(Math.max(fromX, toX) + radius))];
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const [x, y] = [column + 0.5 - fromX, row + 0.5 - fromY];
        const along = length ? Math.min(Math.max((x * dx + y * dy) / length, 0), 1) : 0;
        const distance = Math.hypot(x - along * dx, y - along * dy);
        const covered = Math.round(255 * Math.min(Math.max(radius + 0.5 - distance, 0), 1));
        const place = row * PAD + column;
        if (!erase) this.ink[place] = Math.max(this.ink[place], covered);
        else if (covered) this.ink[place] = 0;
      }
    }
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * PAD, ((event.clientY - box.top) / box.height) * PAD];
  }

  listen() {
    const pad = this.find(".pad");
    pad.onpointerdown = (event) => {
      if (event.button > 0 && event.button !== 5) return;
      event.preventDefault();
      pad.focus({ preventScroll: true });
      this.root.classList.remove("by-key");
      pad.setPointerCapture(event.pointerId);
      this.remember();
      this.drawing = event.pointerId;
      this.erasing = this.tool === "eraser" || event.button === 5; // the other end of a pen
      this.last = this.point(event);
      this.stroke(this.last, this.last, this.erasing);
      this.soon();
    };
    pad.onpointermove = (event) => {
      if (this.drawing !== event.pointerId) return;
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length ? all : [event]) {
        const next = this.point(each);
        this.stroke(this.last, next, this.erasing);
        this.last = next;
      }
      this.soon();
    };
    pad.onpointerup = pad.onpointercancel = (event) => {
      if (this.drawing !== event.pointerId) return;
      this.drawing = undefined;
      this.send();
    };
    pad.onkeydown = (event) => this.key(event);
    pad.onkeyup = (event) => {
      if (this.lined && event.key === "Shift") {
        this.lined = false;
        this.send();
      }
    };
    for (const tool of ["pen", "eraser"]) this.find(`.${tool}`).onclick = () => this.choose(tool);
    this.find(".undo").onclick = () => this.undo();
    this.find(".clear").onclick = () => {
      this.remember();
      this.ink.fill(0);
      this.send();
    };
    document.addEventListener("digit-networks", (this.heard = () => this.data && this.soon()));
  }

  choose(tool) {
    this.tool = tool;
    for (const each of ["pen", "eraser"]) this.find(`.${each}`).setAttribute("aria-pressed", each === tool);
  }

  undo() {
    const ink = this.before.pop();
    if (!ink) return;
    this.ink = ink;
    this.send();
  }

  // Cell by cell: arrows move, Space or Enter draws a dot, Backspace erases one, Shift with an arrow draws a line.
  key(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const middle = ([row, column]) => [(column + 0.5) * (PAD / SIDE), (row + 0.5) * (PAD / SIDE)];
    const [move, dot] = [moves[event.key], [" ", "Enter"].includes(event.key)];
    const wipe = ["Backspace", "Delete"].includes(event.key);
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") this.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (move) {
      const from = this.cursor;
      this.cursor = from.map((place, axis) => Math.min(Math.max(place + move[axis], 0), SIDE - 1));
      if (event.shiftKey) {
        if (!this.lined) this.remember();
        this.lined = true;
        this.stroke(middle(from), middle(this.cursor), this.tool === "eraser");
        this.soon();
      }
    } else if (dot || wipe) {
      this.remember();
      this.stroke(middle(this.cursor), middle(this.cursor), wipe || this.tool === "eraser");
      this.send();
    } else return;
    event.preventDefault();
    event.stopPropagation();
    this.root.classList.add("by-key");
    const [row, column] = this.cursor;
    this.root.style.setProperty("--row", row);
    this.root.style.setProperty("--column", column);
    this.find(".place").textContent = `Row ${row + 1}, column ${column + 1}`;
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".draw");
  let pad = pads.get(root);
  if (!pad) pads.set(root, (pad = new Pad(root)));
  pad.take(data, setStateValue);
  return () => {
    document.removeEventListener("digit-networks", pad.heard);
    pads.delete(root);
  };
}
