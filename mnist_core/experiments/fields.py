"""A configuration's fields by dotted path: their bounds, and a flat view of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from mnist_core.experiments.configs import RunConfig


@dataclass(frozen=True)
class Bounds:
    """The bounds of one number; `None` where there is none."""

    minimum: float | None
    maximum: float | None


def bounds(config_type: type[BaseModel], field: str) -> Bounds:
    """Return the bounds that `config_type` declares for `field`; for a tuple field, those of its length."""
    low: float | None = None
    high: float | None = None
    for item in config_type.model_fields[field].metadata:
        low = getattr(item, "ge", getattr(item, "min_length", low))
        high = getattr(item, "le", getattr(item, "max_length", high))
    if low is None and high is None:
        # an optional field keeps its bounds inside the annotation
        for part in get_args(config_type.model_fields[field].annotation):
            for item in getattr(part, "__metadata__", ()):
                low, high = getattr(item, "ge", low), getattr(item, "le", high)
    return Bounds(low, high)


def flatten(config: RunConfig) -> dict[str, Any]:
    """Return the configuration as dotted paths to plain values, for tables of differences."""
    flat: dict[str, Any] = {}

    def walk(node: Any, path: str) -> None:
        items: Iterable[tuple[Any, Any]]
        if isinstance(node, dict):
            items = node.items()
        elif isinstance(node, list):
            items = enumerate(node)
        else:
            flat[path] = node
            return
        for key, child in items:
            walk(child, f"{path}.{key}" if path else str(key))

    walk(config.model_dump(mode="json"), "")
    return flat
