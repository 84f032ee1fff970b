"""Add your own: predictions of any model, from any framework, become runs that are compared with all others."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.run_picker import MOST_COMPARED
from mnist_core.errors import ConfigError, MnistCoreError
from mnist_core.inspection.incoming import FILE_ENDINGS, import_file
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

DONE = "add_done"

KERAS = """\
import mnist_core as mc
logger = mc.RunLogger("my net", x_test=x_test, y_test=y_test)
model.fit(x_train, y_train, validation_data=(x_test, y_test), callbacks=[logger])
"""
RECORD = """\
import mnist_core as mc
run = mc.record("my model", probabilities=probabilities, images=x_test)
print(mc.compare(run, "notebook/model_1"))
"""
COMMAND = """\
python -m mnist_core import predictions.csv --name "my model" --dataset mnist
"""

st.title("Add your own")
st.markdown(
    "Whatever gives a class, or better probabilities, for each test image can be compared here: a Keras model on any "
    "backend, a network in PyTorch, a forest of scikit-learn, a table from a colleague. Predictions are all that is "
    "needed. They must be of all test images, in their order."
)
st.header("Three lines of Python")
with st.container(key="add_lines"):
    st.markdown("**While a Keras model trains.** Its curves grow here, and its predictions are kept at the end.")
    st.code(KERAS, language="python")
    st.markdown(
        "**After any training.** `probabilities` has a row for each test image and a column for each class; "
        "`predicted`, the guessed classes, may take its place. Known images are recognised, also after a division by "
        "255. For data of your own, give `labels` and a name as `dataset`."
    )
    st.code(RECORD, language="python")
    st.markdown("**From a file, on the command line.**")
    st.code(COMMAND, language="sh")


def _add(given: Any, name: str, dataset: str) -> None:
    """Bring an uploaded file in; its own name is never used as a path."""
    ending = Path(given.name).suffix.lower()
    panels.check_upload(given, "use the command `import`")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{ending if ending in FILE_ENDINGS else ''}"
        path.write_bytes(given.getvalue())
        of_other_tool = ending != ".zip"
        try:
            arrived = import_file(
                path,
                name=(name.strip() or None) if of_other_tool else None,
                otherwise=Path(given.name).stem,
                dataset=(dataset.strip() or None) if of_other_tool else None,
                store=resources.store(),
            )
        except MnistCoreError as error:
            shown = f"“{given.name}”"  # the name that its owner knows, in place of the temporary one
            raise ConfigError(str(error).replace(str(path), shown).replace(path.name, shown)) from error
    state.fill({DONE: [(item.run.id, item.run.name, item.new) for item in arrived]})


def _to_compare(added: list[str], runs: list[Run]) -> str:
    """Return the ids for Compare: the added runs, and with a single one another run on the same test images."""
    data = {run.id: run.status.fingerprint for run in runs}
    fitting = [
        run.id
        for run in (*state.suggested(runs), *reversed(runs))
        if run.state == "finished" and run.id not in added and data[run.id] == data.get(added[0])
    ]
    return ",".join([*fitting[:1], *added] if len(added) == 1 else added[:MOST_COMPARED])


st.header("Upload a file")
st.markdown(
    "- predictions: `.npz` with `labels` and `probabilities` or `predicted`; `.csv` with `id, label, p0, p1 …` or "
    "`id, label, predicted`\n"
    "- a history, for its curves alone: `.csv` of Keras's CSVLogger or of Trackio, `.json` of `History.history`, "
    "`mlflow.db` of MLflow (its folders: `import` on the command line)\n"
    "- a network: `.keras`, which is read by a list of what is allowed and never loaded by Keras; name the data set "
    "on whose test images it is to be tried\n"
    "- runs: a `.zip` that `export` wrote, with names and data of their own"
)
if resources.store().writable:
    with st.form("add_form", clear_on_submit=False):
        uploaded = st.file_uploader(
            f"File, up to {panels.MOST_UPLOAD_MB} MB", [ending[1:] for ending in FILE_ENDINGS], key="add_file"
        )
        left, right = st.columns(2)
        called = left.text_input("Name of the run", max_chars=80, key="add_name", placeholder="the name of the file")
        data = right.text_input(
            "Data set", max_chars=64, key="add_dataset", placeholder="mnist, digits, or a name of your own",
            help="Left out, known images are recognised where the file has them.",
        )  # fmt: skip
        pressed = st.form_submit_button("Add", type="primary", icon=":material/add:")
    if pressed:
        state.fill({DONE: None})
        if uploaded is None:
            st.error("Choose a file first.", icon=":material/error:")
        else:
            with panels.errors_as_messages():
                _add(uploaded, called, data)
    done = state.widget_value(DONE) or ()
    for run_id, run_name, new in done:
        text = "is in the store now" if new else "was in the store already"
        st.success(f"{for_markdown(run_name)} ({run_id}) {text}.", icon=":material/check:")
    if done:
        query = {state.CHOSEN: _to_compare([run_id for run_id, *_ in done], resources.scan()[0])}
        with st.container(horizontal=True, gap="small", key="add_next"):
            st.page_link(
                "views/compare/page.py", label="See it on Compare", icon=":material/compare_arrows:", query_params=query
            )
            st.page_link("views/runs/page.py", label="See it on the Runs page", icon=":material/table_rows:")
else:
    st.caption("Nothing can be added to a store that may only be read.")
panels.store_problems(resources.scan()[1])
