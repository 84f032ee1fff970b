// A training played epoch by epoch. All of it is in the page: playing asks the server for nothing.
const WIDTH = 520, HEIGHT = 240, LEFT = 52, RIGHT = 12, TOP = 8, BOTTOM = 30;
const LONGEST_MS = 12000, SLOWEST_MS = 450; // of the whole, and of one epoch
const replays = new WeakMap();

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(2)} %`);
const decimal = (value) => (value === null ? "–" : value.toFixed(4));

// Round numbers between two ends, about `count` of them.
function ticks([low, high], count) {
  const power = 10 ** Math.floor(Math.log10((high - low) / count));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => (high - low) / one <= count);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + 1e-9 * step; at += step) found.push(at);
  return found;
}

// One chart of all runs: a line for each kind, drawn up to a moment between two epochs.
class Plot {
  constructor(panel, runs, epochs, place) {
    const [first, last] = epochs, [low, high] = panel.domain;
    this.x = (epoch) => LEFT + ((epoch - first) / Math.max(1, last - first)) * (WIDTH - LEFT - RIGHT);
    this.y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const box = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": panel.label });
    const id = `clip-${Math.random().toString(36).slice(2)}`;
    const clip = svg("clipPath", { id });
    clip.append(svg("rect", { x: LEFT - 6, y: TOP - 4, width: WIDTH - LEFT - RIGHT + 12, height: HEIGHT - TOP - BOTTOM + 8 }));
    box.append(clip);
    for (const value of ticks(panel.domain, 5)) {
      box.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: this.y(value), y2: this.y(value) }));
      const text = svg("text", { x: LEFT - 6, y: this.y(value) + 4, "text-anchor": "end" });
      text.textContent = panel.share ? `${+(100 * value).toFixed(1)} %` : +value.toPrecision(3);
      box.append(text);
    }
    for (const epoch of ticks(epochs, 8).filter(Number.isInteger)) {
      const text = svg("text", { x: this.x(epoch), y: HEIGHT - 10, "text-anchor": "middle" });
      text.textContent = epoch;
      box.append(text);
    }
    const lines = svg("g", { "clip-path": `url(#${id})` });
    box.append(lines);
    this.lines = runs.flatMap((run) =>
      Object.entries(run.lines[panel.key]).map(([kind, values]) => {
        const path = svg("path", { class: kind, stroke: run.colour });
        lines.append(path);
        const tip = kind === "validation" ? svg("circle", { r: 5, fill: run.colour }) : null;
        if (tip) lines.append(tip);
        const points = values.map((value, place) => (value === null ? null : [this.x(run.first + place), this.y(value)]));
        return { path, tip, points, first: run.first };
      }),
    );
    this.changes = runs.flatMap((run) => run.changes.map(([epoch, words]) => {
      const value = run.lines[panel.key].validation[epoch - run.first];
      const [x, y] = [this.x(epoch), this.y(value ?? NaN)];
      const mark = svg("path", { class: "change", d: `M${x},${y - 8}l8,8l-8,8l-8,-8z`, style: `fill:${run.colour}` });
      const title = svg("title");
      title.textContent = `${run.label}: ${words}`;
      mark.append(title);
      if (Number.isFinite(y)) lines.append(mark);
      return { mark, epoch };
    }));
    place.append(html("h4", "", panel.title), box);
  }

  draw(moment) {
    for (const { mark, epoch } of this.changes) mark.style.visibility = moment >= epoch ? "visible" : "hidden";
    for (const { path, tip, points, first } of this.lines) {
      const whole = Math.floor(moment - first + 1e-9), part = moment - first - whole;
      const drawn = points.slice(0, Math.max(0, whole + 1));
      const from = points[whole], to = points[whole + 1];
      if (part > 1e-6 && from && to) drawn.push(from.map((value, axis) => value + part * (to[axis] - value)));
      let pen = "M";
      path.setAttribute("d", drawn.map((point) => {
        const text = point ? `${pen}${point[0].toFixed(1)},${point[1].toFixed(1)}` : "";
        pen = point ? "L" : "M";
        return text;
      }).join(""));
      const end = drawn.filter(Boolean).at(-1);
      if (!tip) continue;
      tip.style.visibility = end ? "visible" : "hidden";
      if (end) [["cx", end[0]], ["cy", end[1]]].forEach(([key, value]) => tip.setAttribute(key, value));
    }
  }
}

// What is known of one run at an epoch: its figures, and the latest confusion matrix that is stored.
class Card {
  constructor(run, go) {
    this.run = run;
    this.root = html("section", "run");
    this.root.style.setProperty("--run", run.colour);
    this.figures = html("p", "figures");
    this.note = html("p", "note", run.note);
    this.root.append(html("div", "name", run.label), this.figures);
    this.jumps = run.stored.map((stored) => {
      const button = html("button", "", `epoch ${stored.epoch}: ${stored.words}`);
      button.type = "button";
      button.addEventListener("click", () => go(stored.epoch));
      return button;
    });
    const row = html("div", "jumps");
    row.append(...this.jumps);
    this.matrix = html("div", "matrix");
    if (run.stored.length) {
      const classes = run.classes, most = Math.max(1, ...run.stored.flatMap((one) => one.matrix.flatMap(
        (line, truth) => line.filter((_, guess) => guess !== truth))));
      this.most = most;
      this.matrix.style.gridTemplateColumns = `repeat(${classes.length + 1}, 1fr)`;
      this.matrix.setAttribute("role", "img");
      this.matrix.append(html("div", "head"), ...classes.map((name) => html("div", "head", name)));
      this.cells = classes.map((name, truth) => {
        this.matrix.append(html("div", "head", name));
        return classes.map((_, guess) => {
          const cell = html("div", guess === truth ? "cell right" : "cell");
          this.matrix.append(cell);
          return cell;
        });
      });
      this.root.append(row, this.note, this.matrix);
    } else {
      this.root.append(this.note);
    }
  }

  show(epoch) {
    const { run } = this, place = Math.min(epoch - run.first, run.lines.loss.validation.length - 1);
    this.figures.textContent = place < 0 ? "not begun yet"
      : `validation loss ${decimal(run.lines.loss.validation[place])}, ` +
        `accuracy ${percent(run.lines.accuracy.validation[place])}` +
        (place < epoch - run.first ? ` (ended after epoch ${run.first + place})` : "");
    if (!run.stored.length) return;
    const stored = run.stored.filter((one) => one.epoch <= epoch).at(-1);
    if (stored === this.stored) return;
    this.stored = stored;
    this.jumps.forEach((button, index) => button.setAttribute("aria-pressed", run.stored[index] === stored));
    this.matrix.classList.toggle("early", !stored);
    const words = stored ? stored.caption : run.note;
    this.note.textContent = words;
    this.matrix.setAttribute("aria-label", words);
    stored?.matrix.forEach((line, truth) => line.forEach((count, guess) => {
      const cell = this.cells[truth][guess];
      cell.textContent = count || "";
      cell.style.setProperty("--share", Math.min(1, count / this.most));
    }));
  }
}

class Replay {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.slider = this.find(".epoch");
    this.button = this.find(".play");
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.button.addEventListener("click", () => (this.playing ? this.stop() : this.play()));
  }

  take(data) {
    const text = JSON.stringify(data);
    if (text === this.text) return;
    const ended = !this.data || this.moment >= this.data.epochs[1];
    this.text = text;
    this.data = data;
    [this.slider.min, this.slider.max] = data.epochs;
    this.find(".plots").replaceChildren();
    this.plots = data.panels.map((panel) => {
      const place = html("div", "plot");
      this.find(".plots").append(place);
      return new Plot(panel, data.runs, data.epochs, place);
    });
    this.cards = data.runs.map((run) => new Card(run, (epoch) => this.go(epoch)));
    this.find(".runs").replaceChildren(...this.cards.map((card) => card.root));
    this.draw(ended ? data.epochs[1] : Math.min(this.moment, data.epochs[1]));
  }

  go(epoch) {
    this.stop();
    this.draw(epoch);
  }

  draw(moment) {
    this.moment = moment;
    const epoch = Math.floor(moment + 1e-9);
    for (const plot of this.plots) plot.draw(moment);
    if (epoch === this.epoch && this.shown === this.text) return;
    [this.epoch, this.shown] = [epoch, this.text];
    this.slider.value = epoch;
    this.find(".now").textContent = `epoch ${epoch} of ${this.data.epochs[1]}`;
    for (const card of this.cards) card.show(epoch);
  }

  play() {
    const [first, last] = this.data.epochs;
    if (this.moment >= last) this.draw(first);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const rate = 1 / Math.min(SLOWEST_MS, LONGEST_MS / Math.max(1, last - first)); // epochs in a millisecond
    let before = performance.now(), moment = this.moment;
    this.button.textContent = "❚❚";
    this.button.setAttribute("aria-label", "Pause");
    const frame = (now) => {
      if (!this.button.isConnected) return this.stop();
      moment = Math.min(last, moment + (now - before) * rate);
      before = now;
      this.draw(still ? Math.floor(moment) : moment);
      if (moment < last) this.playing = requestAnimationFrame(frame);
      else this.stop();
    };
    this.playing = requestAnimationFrame(frame);
  }

  stop() {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.button.textContent = "▶";
    this.button.setAttribute("aria-label", "Play");
  }
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".replay");
  if (!replays.has(root)) replays.set(root, new Replay(root));
  replays.get(root).take(data);
}
