"""Charts: from a frame to an Altair chart, one file a picture.

`curves`, `confusion` and `disagreements` draw runs in one call, for a notebook. Altair is imported
when one is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_core.plots.of_runs import confusion, curves, disagreements

__all__ = ["confusion", "curves", "disagreements"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mnist_core.plots import of_runs

        return getattr(of_runs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
