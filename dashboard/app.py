"""The dashboard's frame: its pages in the order of the work. Each page is one file in `views/`."""

from __future__ import annotations

import sys
from pathlib import Path

# `streamlit run` puts this folder on the path, and not the one that holds the packages.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

from dashboard import classroom, resources, state, theme  # noqa: E402
from dashboard.shared import panels, presenter  # noqa: E402

st.set_page_config(
    page_title="Digit classifiers, compared", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide"
)

PAGES = {
    "": [
        st.Page("views/compare/page.py", title="Compare", icon=":material/compare_arrows:", default=True),
        st.Page("views/train/page.py", title="Train", icon=":material/model_training:", url_path="train"),
        st.Page("views/runs/page.py", title="Runs", icon=":material/table_rows:", url_path="runs"),
        st.Page("views/mistakes/page.py", title="Mistakes", icon=":material/error_outline:", url_path="mistakes"),
        st.Page(
            "views/disagreements/page.py",
            title="Disagreements",
            icon=":material/call_split:",
            url_path="disagreements",
        ),
        st.Page("views/draw/page.py", title="Draw", icon=":material/draw:", url_path="draw"),
        st.Page("views/sweeps/page.py", title="Sweeps", icon=":material/grid_on:", url_path="sweeps"),
        st.Page("views/lessons/page.py", title="Lessons", icon=":material/school:", url_path="lessons"),
    ],
    "Questions": [
        st.Page(
            "views/loss_or_accuracy.py",
            title="Loss or accuracy?",
            icon=":material/balance:",
            url_path="loss-or-accuracy",
        ),
        st.Page(
            "views/production.py",
            title="Which one for production?",
            icon=":material/rocket_launch:",
            url_path="production",
        ),
        st.Page(
            "views/abstention.py",
            title="When to say “I don't know”?",
            icon=":material/help:",
            url_path="i-dont-know",
        ),
        st.Page("views/exams/page.py", title="Exams", icon=":material/quiz:", url_path="exams"),
    ],
    "Background": [
        st.Page("views/published/page.py", title="Published", icon=":material/menu_book:", url_path="published"),
        st.Page("views/models.py", title="Models", icon=":material/account_tree:", url_path="models"),
        st.Page("views/data.py", title="Data", icon=":material/dataset:", url_path="data"),
        st.Page("views/add.py", title="Add your own", icon=":material/upload_file:", url_path="add"),
    ],
}

if classroom.address():  # pages of a class, which are there in a class only
    PAGES["Class"] = [
        st.Page(Path(__file__).parent / file, title=title, icon=icon, url_path=path)
        for file, title, icon, path in classroom.PAGES
    ]

page = st.navigation(PAGES, position="hidden" if state.presenting() else "top")
theme.apply()
if state.presenting():
    presenter.bar()
panels.read_only_note(resources.store())
resources.warm_up()
page.run()
