// A frozen screen takes no key either, but those that let it go again and those that reach the buttons of the presenter.
const hold = (event) => {
  const own = event.target instanceof Element && event.target.closest(".st-key-presenter_bar");
  if (own || event.key === "Tab" || event.key.toLowerCase() === "f") return;
  event.stopImmediatePropagation();
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.preventDefault();
};

// While an input has the focus, Streamlit gives no key to a button, as somebody may be typing. Nobody types into a
// choice: the presenter's keys go on to the page from there.
const KEYS = new Set(["pagedown", "pageup", "1", "2", "3", "f", "n", "p"]);
const pass = (event) => {
  if (!(event.target instanceof Element && event.target.matches("input:is([type=radio], [type=checkbox])"))) return;
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS.has(event.key.toLowerCase())) return;
  event.stopImmediatePropagation();
  event.preventDefault();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, code: event.code, bubbles: true }));
};

function freeze(frozen) {
  document.documentElement.classList.toggle("frozen", frozen); // for style.css
  if (frozen) window.addEventListener("keydown", hold, true);
  else window.removeEventListener("keydown", hold, true);
}

export default function ({ data }) {
  window.addEventListener("keydown", pass, true);
  freeze(data.frozen);
  return () => {
    window.removeEventListener("keydown", pass, true);
    freeze(false);
  };
}
