"""What `.streamlit/config.toml` cannot say of fonts and colours, the same on every page.

Runs take the colours of Okabe and Ito (2008), which people with a colour-vision deficiency can tell apart; everything
else is grey.
"""

from __future__ import annotations

import streamlit as st

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
[class*="st-key-keys_"] { position: absolute; z-index: 1; pointer-events: none; max-width: calc(100vw - 3rem); }
[class*="st-key-keys_"] [data-testid="stSkeleton"] { display: none; }
/* what Streamlit draws for a widget until its code has arrived is as high as a widget without a label */
.st-key-run_picker, [class*="st-key-train_"]:has(> [data-testid="stSkeleton"]) { min-height: 68px; }
.st-key-choice .st-key-run_picker { min-height: 0; }
.st-key-where:has([data-testid="stSkeleton"]), .st-key-cost:has([data-testid="stSkeleton"]) { min-height: 68px; }
.st-key-inspect { min-height: 62px; }
@media (min-width: 800px) { .st-key-mistakes_answer { min-height: 143px; } }
.st-key-train_preview img { image-rendering: pixelated; }
.network-picture { width: 100%; max-width: 460px; display: block; margin: 0 auto; }
/* Streamlit's own CSV of a table lets names be formulas of a spreadsheet; every table has a CSV button besides */
[data-testid="stElementToolbarButton"]:has([aria-label="Download as CSV"]) { display: none; }
</style>
"""


def apply() -> None:
    """Put the page-wide styles in place; once on every rerun."""
    st.html(CSS)


def is_dark() -> bool:
    """True if the viewer sees the dark theme."""
    return st.context.theme.type == "dark"


def standing_out() -> str:
    """Return how what stands out from the background looks: ``darker`` or ``brighter``."""
    return "brighter" if is_dark() else "darker"
