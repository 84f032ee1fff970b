// A confusion matrix by keyboard: the arrow keys move a frame from cell to cell, and Enter does what a click on the
// framed cell does. The chart is drawn by Vega, anew whenever something is chosen in it; the frame stands outside of it,
// so that it and the focus outlast that.
const instances = new WeakMap();
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// Vega keeps on each element the row that it was drawn from.
function row(path) {
  const found = path.__data__?.datum;
  const inner = found?.datum ?? found;
  return inner && "true" in inner && "guess" in inner ? inner : null;
}

class MatrixKeys {
  constructor(root) {
    this.root = root;
    this.frame = root.querySelector(".frame");
    this.at = null;
    root.onfocus = () => this.show();
    root.onblur = () => (this.frame.hidden = true);
    root.onkeydown = (event) => this.key(event);
    this.redrawn = () => this.frame.hidden || this.show();
    this.watch = new MutationObserver(this.redrawn);
    addEventListener("resize", this.redrawn);
  }

  // the chart may be drawn anew, or be laid out otherwise
  follow(chart) {
    this.chart = chart;
    this.watch.disconnect();
    const panel = document.querySelector(`.st-key-${chart}`)?.parentElement;
    if (panel) this.watch.observe(panel, { childList: true, subtree: true });
    this.redrawn();
  }

  end() {
    this.watch.disconnect();
    removeEventListener("resize", this.redrawn);
  }

  cells() {
    const chart = document.querySelector(`.st-key-${this.chart}`);
    const found = new Map();
    for (const path of chart?.querySelectorAll("svg path") ?? []) {
      const cell = row(path);
      // the first one is the cell itself, a second one a frame around it
      if (cell && !found.has(`${cell.true},${cell.guess}`)) found.set(`${cell.true},${cell.guess}`, { path, cell });
    }
    return [...found.values()];
  }

  current(cells) {
    const [truth, guess] = this.at ?? [];
    return (
      cells.find(({ cell }) => cell.true === truth && cell.guess === guess) ??
      cells.find(({ cell }) => cell.picked) ??
      cells[0]
    );
  }

  show() {
    const found = this.current(this.cells());
    this.frame.hidden = !found;
    if (!found) return;
    this.at = [found.cell.true, found.cell.guess];
    const [own, box] = [this.root.getBoundingClientRect(), found.path.getBoundingClientRect()];
    for (const [name, value] of Object.entries({
      left: box.left - own.left, top: box.top - own.top, width: box.width, height: box.height,
    })) this.frame.style[name] = `${value}px`;
    this.root.querySelector(".spoken").textContent = found.cell.meaning;
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const cells = this.cells();
    const here = this.current(cells);
    if (!here) return;
    if (event.key === "Enter" || event.key === " ") this.press(here.path);
    else if (event.key === "Home") this.go(cells[0]);
    else if (event.key === "End") this.go(cells.at(-1));
    else if (event.key in MOVES) this.go(this.next(cells, here, MOVES[event.key]));
    else return;
    event.preventDefault();
  }

  // the nearest cell in a direction: of many classes, empty cells are not drawn
  next(cells, { cell: from }, [down, right]) {
    const ahead = ({ cell }) => (cell.true - from.true) * down + (cell.guess - from.guess) * right;
    const inLine = ({ cell }) => (down ? cell.guess === from.guess : cell.true === from.true);
    return cells.filter((other) => inLine(other) && ahead(other) > 0).sort((a, b) => ahead(a) - ahead(b))[0];
  }

  go(target) {
    if (!target) return;
    this.at = [target.cell.true, target.cell.guess];
    this.show();
    this.frame.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  press(path) {
    const box = path.getBoundingClientRect();
    const middle = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
    for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"]) {
      const Kind = type.startsWith("pointer") ? PointerEvent : MouseEvent;
      path.dispatchEvent(new Kind(type, { bubbles: true, cancelable: true, view: window, ...middle }));
    }
  }
}

export default function ({ data, parentElement }) {
  const known = instances.get(parentElement) ?? new MatrixKeys(parentElement.querySelector(".keys"));
  instances.set(parentElement, known);
  known.root.setAttribute("aria-label", data.label);
  known.follow(data.chart);
  return () => {
    known.end();
    instances.delete(parentElement);
  };
}
