// One step of the browser's history for one change of page. A page writes what it shows into its link as soon as it is
// drawn, and Streamlit makes a step of that; a viewer would have to press Back twice. A change of the link alone is a
// step of its own only after somebody has pressed something on that page.
(() => {
  let pressed = false;
  for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, () => (pressed = true), true);
  window.addEventListener("popstate", () => (pressed = false), true);
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const target = new URL(url ?? location.href, location.href);
    if (target.pathname !== location.pathname) {
      pressed = false;
      push(state, title, url);
    } else if (pressed) push(state, title, url);
    else history.replaceState(state, title, url);
  };
})();
