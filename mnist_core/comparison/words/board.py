"""The board of a class in words. A name is as the person typed it."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.comparison.board import BoardLine

MOST_NAMED = 4
"""So many people who share the first place are named one by one."""


def lead_words(board: Sequence[BoardLine]) -> str:
    """Return who is first, or why nobody is; empty where the board is."""
    if not board:
        return ""
    first = [line.owner for line in board if line.place == 1]
    if len(board) == 1:
        return f"{first[0]} is the only one on the board so far."
    images = f"{board[0].images:,} images"
    if len(first) == 1:
        return f"{first[0]} is first: on these {images}, shown to be better than everybody else who is on the board."
    if len(first) == len(board):
        return f"Nobody leads: {images} do not tell these {len(board)} apart."
    if len(first) > MOST_NAMED:
        return f"{len(first)} share the first place: on these {images}, nobody is shown to be better than any of them."
    names = ", ".join(first[:-1]) + f" and {first[-1]}"
    return f"{names} share the first place: on these {images}, nobody is shown to be better than any of them."


def place_words(line: BoardLine) -> str:
    """Return a place, such as ``3``, or ``1 =`` where it is shared."""
    return f"{line.place} =" if line.shared else str(line.place)


def rules_words(images: int, *, final: bool) -> str:
    """Return by what the board orders, and what it does against luck."""
    if final:
        return (
            f"The final order, by {images:,} test images that have chosen nothing: each person's run was put forward "
            "by the other half."
        )
    return (
        f"By {images:,} of the test images, always the same ones. A later run stands for a person only where it is "
        "clearly better than the one before, so that many tries are no way to the top. The final order is by the other "
        "half."
    )
