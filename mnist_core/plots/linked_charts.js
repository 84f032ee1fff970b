// The pointer in one chart is passed on to the others: their line stands at the same epoch, of the same run.
//
// Each chart has invisible cells, one for each epoch of each run, and Vega keeps on each element the row that it was
// drawn from. The cell of the same row is looked for in the other charts, and gets the event that the pointer causes.
//
// The dashboard and the report both use this. `find` returns the elements of the charts, `field` is the name of the
// horizontal axis; the result ends the link.
function linkCharts(find, field) {
  let passing = false;
  const last = new Map();

  function row(element) {
    const item = element?.__data__;
    return item?.datum?.datum ?? null;
  }

  function cells(chart) {
    return [...chart.querySelectorAll("svg path")].filter((element) => row(element));
  }

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
    const all = find().filter(Boolean);
    const here = all.find((chart) => chart.contains(event.target));
    const found = here ? row(event.target) : null;
    for (const chart of all) {
      if (chart === here) {
        last.delete(chart);
        continue;
      }
      const same = (cell) =>
        row(cell)[field] === found[field] && (row(cell).run === found.run || found.run === undefined);
      const element = found && found[field] !== undefined ? cells(chart).find(same) : null;
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
