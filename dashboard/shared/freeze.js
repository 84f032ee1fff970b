// A frozen screen takes no key either, but those that let it go again and those that reach the buttons of the presenter.
export default function () {
  const hold = (event) => {
    const own = event.target instanceof Element && event.target.closest(".st-key-presenter_bar");
    if (own || event.key === "Tab" || event.key.toLowerCase() === "f") return;
    event.stopImmediatePropagation();
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.preventDefault();
  };
  window.addEventListener("keydown", hold, true);
  return () => window.removeEventListener("keydown", hold, true);
}
