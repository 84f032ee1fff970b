// Draws each chart of the report from its Vega-Lite specification, in place of its still picture.
//
// Vega Embed, Vega-Lite and Vega stand before this, and `linkCharts`. With `ast`, Vega interprets its expressions, so that
// the page needs no right to compile text as code. Where a chart cannot be drawn, its still picture stays.
for (const data of document.querySelectorAll('script[type="application/json"]')) {
  const still = data.parentElement.querySelector(".still");
  const place = document.createElement("div");
  place.className = "live";
  still.before(place);
  vegaEmbed(place, JSON.parse(data.textContent), { ast: true, renderer: "svg", actions: false }).then(
    () => still.remove(),
    () => place.remove(),
  );
}
linkCharts(() => [...document.querySelectorAll(".live")], "epoch");
