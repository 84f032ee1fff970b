"""Data: which datasets are here, what they look like, and how to get more."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.shared import datasets, panels

st.title("Data")
runs, problems = resources.scan()
catalog = resources.store().catalog
names = datasets.names_or_words(catalog)
here = [name for name in names if datasets.usable(catalog, name)]
datasets.mnist_panel()
datasets.dataset_list(names, runs)
name = datasets.chosen(here)
with panels.errors_as_messages():
    datasets.look(name)
with panels.errors_as_messages():
    datasets.registered_panel(runs)
panels.store_problems(problems)
