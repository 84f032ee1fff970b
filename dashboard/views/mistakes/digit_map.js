// A map of digits as points. A line drawn around points says which digits lie inside; a point that is pressed says which
// digit to enlarge. Places are whole steps of a grid, from the lower left corner.
const SIZE = 84; // 3 × 28 pixels
const NEAR = 14; // pixels from the pointer to a point that it means
const TAP = 5; // pixels that a press may move and still be no drawing
const instances = new WeakMap();

// -- the outline ----------------------------------------------------------------------------------------------------

function distance([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const share = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}

// Ramer, Douglas and Peucker: without the points that lie within `tolerance` of the line through the others.
function simplified(line, tolerance) {
  if (line.length < 3) return line;
  let [worst, place] = [0, 0];
  for (let each = 1; each < line.length - 1; each += 1) {
    const off = distance(line[each], line[0], line.at(-1));
    if (off > worst) [worst, place] = [off, each];
  }
  if (worst <= tolerance) return [line[0], line.at(-1)];
  return [...simplified(line.slice(0, place + 1), tolerance).slice(0, -1), ...simplified(line.slice(place), tolerance)];
}

function cornersOf(line, most) {
  let found = line;
  for (let tolerance = 2; found.length > most; tolerance *= 1.4) found = simplified(line, tolerance);
  return found;
}

function rectangle([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

// -- the component --------------------------------------------------------------------------------------------------

class DigitMap {
  constructor(root) {
    this.root = root;
    this.svg = root.querySelector("svg");
    this.card = root.querySelector(".card");
    this.tool = "lasso";
    this.armed = false; // with a finger: whether the next stroke draws, or scrolls the page
    this.finger = matchMedia("(pointer: coarse)").matches;
    this.line = null; // the stroke that is being drawn, in pixels
    this.at = null; // the point that the arrow keys have come to
    this.corner = null; // the point at which the space bar began a rectangle
    for (const button of root.querySelectorAll("[data-tool]")) button.onclick = (event) => this.choose(button.dataset.tool, event.pointerType);
    root.querySelector(".clear").onclick = () => this.say("drawn", "");
    root.querySelector(".to-digits").onclick = () =>
      document.querySelector(".st-key-gallery_panel")?.scrollIntoView({ behavior: "smooth" });
    this.svg.onpointerdown = (event) => this.down(event);
    this.svg.onpointermove = (event) => this.move(event);
    this.svg.onpointerup = (event) => this.up(event);
    this.svg.onpointercancel = () => this.stop();
    this.svg.onpointerleave = () => this.line || this.show(null);
    this.svg.onkeydown = (event) => this.key(event);
    this.svg.onblur = () => this.show(null);
    this.watch = new ResizeObserver(() => this.place());
    this.watch.observe(this.svg);
  }

  end() {
    this.watch.disconnect();
    dropSheet(this);
  }

  update(data, say) {
    this.data = data;
    this.say = say;
    useSheet(this.root, this, data.sheet, data.columns, SIZE);
    this.root.classList.toggle("dark", data.dark);
    const drawn = JSON.stringify([data.points, data.names, data.palette]);
    if (this.drawn !== drawn) {
      this.drawn = drawn;
      this.at = this.corner = null;
      this.draw();
    }
    this.root.classList.toggle("chosen", Boolean(data.area));
    const inside = new Set(data.inside);
    for (const circle of this.circles) circle.classList.toggle("inside", inside.has(Number(circle.dataset.index)));
    this.svg.setAttribute("aria-label", data.description);
    this.root.querySelector(".axis.along").textContent = data.axes?.[0] ?? "";
    this.root.querySelector(".axis.up").textContent = data.axes?.[1] ?? "";
    this.root.querySelector(".summary").textContent = data.summary;
    this.press();
    this.place();
  }

  draw() {
    const { points, names, palette } = this.data;
    this.circles = points.map(([index, , , truth, guess]) => {
      const circle = svg("circle", { r: truth === guess ? 2.9 : 4.4, fill: palette[truth % palette.length] });
      circle.dataset.index = index;
      if (truth !== guess) circle.classList.add("wrong");
      return circle;
    });
    this.texts = names.map(([text, , , truth]) => {
      const made = svg("text", { fill: palette[truth % palette.length] });
      made.textContent = text;
      return made;
    });
    this.outline = svg("path", { class: "outline" });
    this.ring = svg("circle", { class: "at", r: 8 });
    // wrong guesses lie over the right ones
    const order = [...this.circles].sort((a, b) => a.classList.contains("wrong") - b.classList.contains("wrong"));
    this.svg.replaceChildren(this.outline, ...order, ...this.texts, this.ring);
    this.show(null);
  }

  place() {
    if (!this.circles) return;
    const box = this.svg.getBoundingClientRect();
    [this.width, this.height] = [box.width, box.height];
    for (const [place, [, x, y]] of this.data.points.entries()) {
      const [left, top] = this.pixel([x, y]);
      this.circles[place].setAttribute("cx", left);
      this.circles[place].setAttribute("cy", top);
    }
    for (const [place, [, x, y]] of this.data.names.entries()) {
      const [left, top] = this.pixel([x, y]);
      this.texts[place].setAttribute("x", left);
      this.texts[place].setAttribute("y", top);
    }
    if (!this.line) this.trace((this.data.area ?? []).map((corner) => this.pixel(corner)));
  }

  pixel([x, y]) {
    return [(x / this.data.grid) * this.width, (1 - y / this.data.grid) * this.height];
  }

  step([left, top]) {
    const within = (share) => Math.round(this.data.grid * Math.max(0, Math.min(1, share)));
    return [within(left / this.width), within(1 - top / this.height)];
  }

  trace(line) {
    this.outline.setAttribute("d", line.length ? `M${line.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z` : "");
  }

  // -- tools --

  choose(tool, pointer) {
    this.finger = pointer ? pointer !== "mouse" : this.finger;
    this.armed = this.finger && !(this.armed && this.tool === tool);
    this.tool = tool;
    this.press();
  }

  press() {
    this.root.classList.toggle("armed", this.armed);
    for (const button of this.root.querySelectorAll("[data-tool]")) {
      const pressed = button.dataset.tool === this.tool && (this.armed || !this.finger);
      button.setAttribute("aria-pressed", String(pressed));
    }
  }

  // -- pointer --

  position(event) {
    const box = this.svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (!event.isPrimary || event.button !== 0) return;
    this.start = this.position(event);
    if (event.pointerType !== "mouse" && !this.armed) return;
    this.line = [this.start];
    this.svg.setPointerCapture(event.pointerId);
  }

  move(event) {
    const here = this.position(event);
    if (!this.line) {
      if (event.pointerType !== "touch") this.show(this.nearest(here, NEAR));
      return;
    }
    if (Math.hypot(here[0] - this.start[0], here[1] - this.start[1]) > TAP) this.show(null);
    if (this.tool === "box") this.line = [this.start, here];
    else if (Math.hypot(here[0] - this.line.at(-1)[0], here[1] - this.line.at(-1)[1]) > 3) this.line.push(here);
    this.trace(this.shape());
  }

  shape() {
    return this.tool === "box" && this.line.length > 1 ? rectangle(...this.line) : this.line;
  }

  up(event) {
    const [here, drawn] = [this.position(event), this.line && this.shape()];
    const moved = drawn && drawn.some(([x, y]) => Math.hypot(x - this.start[0], y - this.start[1]) > TAP);
    this.line = null;
    if (moved && drawn.length > 2) {
      this.armed = false;
      this.press();
      this.area(cornersOf(drawn, this.data.corners));
      return;
    }
    this.place();
    if (!this.start || Math.hypot(here[0] - this.start[0], here[1] - this.start[1]) > TAP) return;
    const pressed = this.nearest(here, event.pointerType === "touch" ? 1.6 * NEAR : NEAR);
    if (pressed !== null) this.open(pressed);
  }

  stop() {
    this.line = this.start = null;
    this.place();
  }

  // the line stays until the server has answered
  area(corners) {
    this.trace(corners);
    this.say("drawn", corners.map((corner) => this.step(corner).join(".")).join("-"));
  }

  open(place) {
    this.say("opened", this.data.points[place][0]);
  }

  nearest([left, top], within) {
    let [best, found] = [within, null];
    for (const [place, [, x, y, truth, guess]] of this.data.points.entries()) {
      const [px, py] = this.pixel([x, y]);
      // the ringed ones are larger
      const off = Math.hypot(px - left, py - top) - (truth === guess ? 0 : 2);
      if (off < best) [best, found] = [off, place];
    }
    return found;
  }

  // -- keyboard: arrow keys go to the next point in their direction, Enter enlarges it, two spaces draw a rectangle --

  key(event) {
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in directions) this.at = this.next(directions[event.key]);
    else if (event.key === "Enter" && this.at !== null) this.open(this.at);
    else if (event.key === " " && this.at !== null) this.mark();
    else if (event.key === "Escape" && (this.corner !== null || this.data.area)) this.forget();
    else return;
    event.preventDefault();
    this.show(this.at);
    if (this.corner !== null && this.corner !== this.at) this.trace(this.between());
  }

  next([dx, dy]) {
    const middle = [this.width / 2, this.height / 2];
    if (this.at === null) return this.nearest(middle, Infinity);
    const from = this.pixel(this.data.points[this.at].slice(1, 3));
    let [best, found] = [Infinity, this.at];
    for (const [place, [, x, y]] of this.data.points.entries()) {
      const [px, py] = this.pixel([x, y]);
      const [ahead, aside] = [(px - from[0]) * dx + (py - from[1]) * dy, Math.abs((px - from[0]) * dy) + Math.abs((py - from[1]) * dx)];
      // not so near that it cannot be told from this one, and rather ahead than aside
      if (ahead < 4 || aside > 2 * ahead) continue;
      const cost = ahead + 2 * aside;
      if (cost < best) [best, found] = [cost, place];
    }
    return found;
  }

  between() {
    const ends = [this.corner, this.at].map((place) => this.pixel(this.data.points[place].slice(1, 3)));
    const out = NEAR / 2; // so that both digits are inside
    const [left, right] = [Math.min(ends[0][0], ends[1][0]) - out, Math.max(ends[0][0], ends[1][0]) + out];
    const [top, bottom] = [Math.min(ends[0][1], ends[1][1]) - out, Math.max(ends[0][1], ends[1][1]) + out];
    return rectangle([left, top], [right, bottom]);
  }

  mark() {
    if (this.corner === null) this.corner = this.at;
    else {
      const corners = this.between();
      this.corner = null;
      this.area(corners);
    }
  }

  forget() {
    if (this.corner === null) this.say("drawn", "");
    this.corner = null;
    this.place();
  }

  // -- the digit under the pointer --

  show(place) {
    this.card.hidden = place === null;
    this.ring.style.display = place === null ? "none" : "";
    if (place === null) return;
    const [index, x, y, truth, guess, sure] = this.data.points[place];
    const [left, top] = this.pixel([x, y]);
    this.ring.setAttribute("cx", left);
    this.ring.setAttribute("cy", top);
    showPicture(this.card.querySelector(".picture"), place, this.data.columns, SIZE);
    const names = this.data.classes;
    const lines = [`true ${names[truth]}`, `guessed ${names[guess]} ${sure}`.trim()];
    this.card.querySelector(".words").textContent = lines.join("\n");
    const [width, height] = [this.card.offsetWidth, this.card.offsetHeight];
    const fits = left + 14 + width < this.width;
    this.card.style.left = `${fits ? left + 14 : left - 14 - width}px`;
    this.card.style.top = `${Math.max(2, Math.min(this.height - height - 2, top - height / 2))}px`;
    if (document.activeElement?.shadowRoot?.activeElement === this.svg || document.activeElement === this.svg)
      this.root.querySelector(".spoken").textContent = `Test image ${index}: ${lines.join(", ")}`;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const known = instances.get(parentElement) ?? new DigitMap(parentElement.querySelector(".map"));
  instances.set(parentElement, known);
  known.update(data, setTriggerValue);
  return () => {
    known.end();
    instances.delete(parentElement);
  };
}
