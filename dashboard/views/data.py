"""Data: which datasets are here, what they look like, and how to get more."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.shared import datasets, panels
from mnist_core.text import for_markdown

st.title("Data")
runs, problems = resources.scan()
catalog = resources.store().catalog
names = datasets.names_or_words(catalog)
here = [name for name in names if datasets.usable(catalog, name)]
datasets.mnist_panel()
datasets.dataset_list(names, runs)
name = st.segmented_control("Look at", here, format_func=for_markdown, key="data_look", default=here[0], required=True)
with panels.errors_as_messages():
    datasets.look(str(name))
with panels.errors_as_messages():
    datasets.registered_panel(runs)
panels.store_problems(problems)
