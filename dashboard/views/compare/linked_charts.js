// The pointer in one chart is passed on to the others: their line stands at the same epoch, of the same run.
//
// Each chart has invisible cells, one for each epoch of each run, and Vega keeps on each element the row that it was
// drawn from. The cell of the same row is looked for in the other charts, and gets the event that the pointer causes.
function row(element) {
  const item = element?.__data__;
  return item?.datum?.datum ?? null;
}

function cells(chart) {
  return [...chart.querySelectorAll("svg path")].filter((element) => row(element));
}

export default function ({ data, parentElement }) {
  let passing = false;
  const last = new Map();

  const charts = () => data.charts.map((key) => document.querySelector(`.st-key-${key} .stVegaLiteChart`));

  function pass(type, element) {
    passing = true;
    element.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerType: "mouse" }));
    passing = false;
  }

  function leave(chart) {
    const element = last.get(chart);
    last.delete(chart);
    if (element?.isConnected) pass("pointerout", element);
  }

  function moved(event) {
    if (passing || !(event.target instanceof Element)) return;
    const all = charts().filter(Boolean);
    const here = all.find((chart) => chart.contains(event.target));
    const found = here ? row(event.target) : null;
    for (const chart of all) {
      if (chart === here) {
        last.delete(chart);
        continue;
      }
      const same = (cell) =>
        row(cell)[data.field] === found[data.field] && (row(cell).run === found.run || found.run === undefined);
      const element = found && found[data.field] !== undefined ? cells(chart).find(same) : null;
      if (element && element === last.get(chart)) continue;
      leave(chart);
      if (!element) continue;
      last.set(chart, element);
      pass("pointerover", element);
    }
  }

  document.addEventListener("pointerover", moved, true);
  return () => document.removeEventListener("pointerover", moved, true);
}
