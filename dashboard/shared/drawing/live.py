"""The pad with what every run answers to the drawing: after each stroke, and dense networks already during it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dashboard import classroom, resources, state
from dashboard.shared import panels
from dashboard.shared.drawing import edits, pad
from dashboard.shared.drawing.pad import Card
from mnist_core.data.drawings import edit_table, edited, seen
from mnist_core.data.images import Pixels
from mnist_core.runs.run import Run


def fresh() -> None:
    """Say that the whole page runs again: the pad may be new, and gets the session's drawing again."""
    state.fill({pad.FRESH: True})


def live_pad(
    runs: Sequence[Run],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    *,
    edited_too: bool,
    large: bool = False,
    few_tools: bool = False,
) -> None:
    """Draw the pad and the answers; to be called in a fragment, which runs again after each stroke.

    runs: with a network. edited_too: True where the controls of `edits` stand next to the pad; else the digit is
    centred and not changed. large, few_tools: as of `pad.pad`.
    """
    drawing = None
    with panels.errors_as_messages():
        classroom.count(classroom.DRAWINGS)
        drawing = pad.current()
    edit, centred = (edits.chosen(), edits.centred()) if edited_too else (None, True)
    table = edit_table(edit) if edit is not None and edits.changes(edit) else None

    def picture(in_the_middle: bool) -> Pixels:
        assert drawing is not None
        found = seen(drawing.ink, centred=in_the_middle)
        return found if table is None else edited(found, table)

    blank = drawing is None or not drawing.ink.any()
    pictures = None if blank else np.stack([picture(centred), picture(not centred)])
    cards = []
    for run in runs:
        network, off = resources.network(run), edits.off(run) if edited_too else {}
        assert network is not None
        answers = None if pictures is None else network.without(off).probabilities(pictures).astype(float).round(7)
        cards.append(
            Card(
                run.id,
                labels[run.id],
                colours[run.id],
                resources.network_name(run) if not run.config.model.convolutional else "",
                off,
                edits.off_words(run) if off else "",
                None if answers is None else answers[0].tolist(),
                None if answers is None else answers[1].tolist(),
            )
        )
    stamp = drawing.stamp if drawing else ""
    pad.pad(cards, stamp, centred=centred, table=table, large=large, few_tools=few_tools)


def bring_weights(runs: Sequence[Run]) -> None:
    """Bring the dense networks to the browser, which then answers at every movement of the pen."""
    for run in runs:
        content = resources.network_bytes(run)
        if content is not None:
            pad.weights(resources.network_name(run), content)
