// Links the charts of the page by `linkCharts`, which stands before this.
export default function ({ data }) {
  const chart = (key) => document.querySelector(`.st-key-${key} .stVegaLiteChart`);
  return linkCharts(() => data.charts.map(chart), data.field);
}
