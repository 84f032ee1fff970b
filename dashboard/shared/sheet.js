// A sheet of pictures of 28 × 28 pixels, in rows: decoded once, and shown through a CSS variable by all that use it.
function sheetUrl(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
}

// Put the sheet into `root`, for pictures of `size` screen pixels; `known` remembers the last one of this component.
function useSheet(root, known, sheet, columns, size) {
  if (known.sheet === sheet) return;
  dropSheet(known);
  known.sheet = sheet;
  known.url = sheetUrl(sheet);
  root.style.setProperty("--sheet", `url("${known.url}")`);
  root.style.setProperty("--sheet-width", `${columns * size}px`);
}

function dropSheet(known) {
  if (known.url) URL.revokeObjectURL(known.url);
  known.sheet = known.url = null;
}

function showPicture(element, place, columns, size) {
  const [row, column] = [Math.floor(place / columns), place % columns];
  element.style.backgroundPosition = `${-column * size}px ${-row * size}px`;
}

