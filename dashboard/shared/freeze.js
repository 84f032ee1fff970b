// A frozen screen takes no key either, but those that let it go again and those that reach the buttons of the presenter.
const hold = (event) => {
  const own = event.target instanceof Element && event.target.closest(".st-key-presenter_bar");
  if (own || event.key === "Tab" || event.key.toLowerCase() === "f") return;
  event.stopImmediatePropagation();
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.preventDefault();
};

function freeze(frozen) {
  document.documentElement.classList.toggle("frozen", frozen); // for style.css
  if (frozen) window.addEventListener("keydown", hold, true);
  else window.removeEventListener("keydown", hold, true);
}

export default function ({ data }) {
  freeze(data.frozen);
  return () => freeze(false);
}
