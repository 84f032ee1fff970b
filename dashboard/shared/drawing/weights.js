// Brings the weights of one dense network to the page, once; the pad finds them there.
const NETWORKS = Symbol.for("digit classifiers: networks");

export default function ({ data, parentElement }) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const found = network(bytes);
  const known = (globalThis[NETWORKS] ??= new Map());
  known.set(found.id, found);
  parentElement.querySelector(".weights").dataset.network = found.id;
  document.dispatchEvent(new CustomEvent("digit-networks"));
  return () => {
    if (known.get(found.id) === found) known.delete(found.id);
  };
}
