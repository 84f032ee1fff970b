"""What `.streamlit/config.toml` cannot say of fonts and colours, the same on every page.

Runs take the colours of Okabe and Ito (2008), which people with a colour-vision deficiency can tell apart; everything
else is grey.
"""

from __future__ import annotations

import streamlit as st

MOST_ROWS = 17
"""Grids of so many rows, their head included, have room before their code has arrived: those of `panels.grid`."""
ROW_REM = 2.1875
"""Height of a row of Streamlit's grids, in rem."""


def _grid_rooms() -> str:
    rows = range(1, MOST_ROWS + 1)
    waiting = ((f'[class*="st-key-rows_{number}_"]:has([data-testid="stSkeleton"])', number) for number in rows)
    return "\n".join(f"{grid} {{ min-height: calc({number * ROW_REM}rem + 2px); }}" for grid, number in waiting)


CSS = """
<style>
:root { font-variant-numeric: tabular-nums; --figures: "Source Code Pro", monospace; }
.stApp .block-container h1 { padding: 0.4rem 0 0.2rem; }
.stApp .block-container h2 { padding: 0.35rem 0 0.3rem; line-height: 1.3; }
.stApp .block-container .st-key-headline h2 { font-size: 1.5rem; padding: 0.5rem 0 0.4rem; }
.stApp .block-container { padding-top: 4rem; max-width: 1240px; }
/* on a projector all of the screen, and larger type: that of the charts is in mnist_core/plots/style.py */
@media (min-width: 1600px) {
  .stApp .block-container { max-width: none; padding-left: 3rem; padding-right: 3rem; }
  html { font-size: 112.5%; }
}
/* the dark theme's blue can be read on its background, and white cannot be read on it */
.stApp button[data-testid^="stBaseButton-primary"]:not(:disabled) { color: light-dark(#FFFFFF, #0E1116); }
span[data-tag] { color: light-dark(#FFFFFF, #0E1116); }
[data-testid="stMetricValue"] { font-family: var(--figures); letter-spacing: -0.03em; }
/* room for a job and for the card of its result, so that the curves stay where they are when it ends */
.st-key-live_jobs { min-height: 10.5rem; }
/* on a phone, the progress stays under the thumb; the sliders of a paused run would hide the curves there */
@media (max-width: 640px) {
  .st-key-live_jobs { min-height: 0; }
  .st-key-presenter_begin { display: none; } /* a phone is no projector; the link still works */
  .st-key-live_jobs:has(.stProgress):not(:has([class*="st-key-live_go_"])) {
    position: fixed; left: 0; right: 0; bottom: 0; z-index: 999; padding: 0.6rem 1rem 0.8rem;
    background: Canvas; border-top: 1px solid GrayText;
    max-height: 40vh; overflow: auto;
  }
}
/* what listens to the keyboard, or to nothing but the page, takes no room */
.stApp [class*="st-key-keys_"] {
  position: absolute; z-index: 1; pointer-events: none; max-width: calc(100vw - 3rem); min-height: 0;
}
[class*="st-key-keys_"] [data-testid="stSkeleton"] { display: none; }
/* Room for what arrives later than the rest of the page. What Streamlit draws for a widget until its code has arrived
   is as high as a widget without a label; --chips is set by `run_picker`, and on a phone each chip has a line. */
.st-key-run_picker, [class*="st-key-train_"]:has(> [data-testid="stSkeleton"]) { min-height: 68px; }
.st-key-choice .st-key-run_picker { min-height: 0; }
:is(.st-key-weighing, .st-key-answering, .st-key-cascading) > :has(> [data-testid="stSkeleton"]),
:is(.st-key-q, .st-key-where):has([data-testid="stSkeleton"]) { min-height: 68px; }
:is(.st-key-looks, .st-key-epoch_switch, .st-key-data_look):has([data-testid="stSkeleton"]) { min-height: 60px; }
.st-key-add_lines > :has(> [data-testid="stSkeleton"]) { min-height: 99px; }
.st-key-add_lines > :last-child:has(> [data-testid="stSkeleton"]) { min-height: 54px; }
.st-key-inspect:has([data-testid="stSkeleton"]) { min-height: 68px; }
.st-key-inspect + :has(> [data-testid="stSkeleton"]) { max-height: 20px; overflow: hidden; } /* a link is lower */
.st-key-mistakes_answer [data-testid="stElementContainer"]:has(> [data-testid="stSkeleton"]) { min-height: 66px; }
.st-key-board { min-height: 443px; }
.st-key-draw_centred { max-height: 24px; }
@media (min-width: 800px) { .st-key-mistakes_answer { min-height: 145px; } }
@media (max-width: 640px) {
  .st-key-run_picker { min-height: calc(35px + 33px * min(var(--chips, 2), 4)); }
  .st-key-choice .st-key-run_picker { min-height: calc(7px + 33px * min(var(--chips, 2), 2)); }
  .st-key-looks:has([data-testid="stSkeleton"]) { min-height: 108px; }
  .st-key-runs_actions { min-height: 96px; }
  .st-key-weighing:has([data-testid="stSkeleton"]) { min-height: 160px; }
  .st-key-board { min-height: 597px; }
  .st-key-mistakes_answer { min-height: 430px; }
}
/* Chips of runs wrap, also in a column, where Streamlit would have them in one line that scrolls. Many scroll in their
   box, so that what was asked stays on the screen. */
.st-key-run_picker div:has(> [data-testid="stMultiSelectTagsContainer"]) { height: auto; max-height: none; }
.st-key-run_picker [data-testid="stMultiSelectTagsContainer"] {
  flex-wrap: wrap; overflow: hidden auto; max-height: 8.6rem;
}
.st-key-choice .st-key-run_picker [data-testid="stMultiSelectTagsContainer"] { max-height: 4.7rem; }
/* Compare: the answer, a line a run, and the curves on the first screen */
.stApp .block-container:has(.st-key-page_head) { padding-top: 3.8rem; }
.stApp .block-container > div:has(.st-key-page_head) { gap: .5rem; }
.stApp .st-key-page_head h1 { font-size: 1.6rem; padding: 0; }
.stApp .st-key-page_head p { margin: 0; }
.st-key-page_head [data-testid="stMarkdownContainer"], .st-key-answer [data-testid="stMarkdownContainer"],
.st-key-panel_loss > div:first-child [data-testid="stMarkdownContainer"],
.st-key-panel_accuracy > div:first-child [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.stApp .st-key-answer h2 { font-size: 1.35rem; line-height: 1.3; padding: 0; font-weight: 600; }
.st-key-strip { min-height: 7.4rem; }
.st-key-curves { min-height: 28.5rem; }
@media (max-width: 640px) {
  /* on a phone: the sentence, the first chart, and then the figures */
  .stApp .block-container:has(.st-key-page_head) { padding-left: 1rem; padding-right: 1rem; }
  .st-key-page_head > :has([data-testid="stMarkdownContainer"] > p):not(:has(a)) { order: 3; flex-basis: 100%; }
  .stApp .st-key-page_head p { font-size: .85rem; line-height: 1.3; }
  .stApp .st-key-page_head { row-gap: 0; }
  .stApp .st-key-choice { row-gap: .4rem; }
  .st-key-first_screen > :has(> .st-key-figures), .st-key-first_screen > .st-key-figures { order: 2; }
  .stApp .st-key-answer h2 { font-size: 1.1rem; }
  .st-key-panel_loss small, .st-key-panel_accuracy small { display: none; }
}
/* Mistakes: on a wide screen matrix and map are on the left, and the gallery, which shows the digits of both, is on the
   right. The shorter of map and gallery stays in view. On a narrow screen the gallery stands between the two. */
.st-key-gallery_panel { scroll-margin-top: 4.5rem; }
@media (min-width: 800px) {
  .stApp .st-key-matrix_map_gallery {
    display: grid;
    grid-template: "matrix gallery" auto "map gallery" 1fr / minmax(0, 9fr) minmax(0, 11fr);
    gap: 1rem 2rem;
  }
  .stApp .st-key-matrix_map_gallery > * { width: 100%; align-self: start; }
  .st-key-matrix_map_gallery > :has(> .st-key-matrix_panel) { grid-area: matrix; }
  .st-key-matrix_map_gallery > :has(> .st-key-gallery_panel) { grid-area: gallery; position: sticky; top: 4.5rem; }
  .st-key-matrix_map_gallery > :has(> .st-key-map_panel) { grid-area: map; position: sticky; top: 4.5rem; }
}
.st-key-train_preview img { image-rendering: pixelated; }
.network-picture { width: 100%; max-width: 460px; display: block; margin: 0 auto; }
/* Streamlit's own CSV of a table lets names be formulas of a spreadsheet; every table has a CSV button besides */
[data-testid="stElementToolbarButton"]:has([aria-label="Download as CSV"]) { display: none; }
GRID_ROOMS
</style>
""".replace("GRID_ROOMS", _grid_rooms())


def apply() -> None:
    """Put the page-wide styles in place; once on every rerun."""
    st.html(CSS)


def is_dark() -> bool:
    """True if the viewer sees the dark theme."""
    return st.context.theme.type == "dark"


def standing_out() -> str:
    """Return how what stands out from the background looks: ``darker`` or ``brighter``."""
    return "brighter" if is_dark() else "darker"
