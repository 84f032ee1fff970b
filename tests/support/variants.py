"""All the ways in which a configuration can differ from another in one field, found by introspection."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mnist_core.experiments.configs import RunConfig

Field = tuple[str, str]
"""Name of a configuration type, and of one of its fields."""


def config_types(annotation: Any = RunConfig) -> Iterator[type[BaseModel]]:
    """Yield the configuration types that an annotation can hold, at any depth; some more than once."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for info in annotation.model_fields.values():
            yield from config_types(info.annotation)
    for part in get_args(annotation):
        yield from config_types(part)


def fields() -> set[Field]:
    """Return every field that holds a value of its own: no tag, such as ``kind``, and no other configuration."""
    return {
        (owner.__name__, name)
        for owner in config_types()
        for name, info in owner.model_fields.items()
        if not (get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1)
        and not all(isinstance(part, type) and issubclass(part, BaseModel) for part in _alternatives(info.annotation))
    }


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def variants(config: RunConfig) -> Iterator[tuple[Field, RunConfig]]:
    """Yield copies of `config` that differ from it in one field, each with that field; those out of bounds left out."""
    data = config.model_dump(mode="json")
    for field, changed in _changed(config, data):
        try:
            yield field, RunConfig.model_validate(changed)
        except ValidationError:
            continue


def _changed(node: Any, data: Any) -> Iterator[tuple[Field, Any]]:
    """Yield copies of `data`, the plain form of `node`, with another value in one place."""
    if isinstance(node, tuple):
        for index, child in enumerate(node):
            for field, changed in _changed(child, data[index]):
                yield field, [*data[:index], changed, *data[index + 1 :]]
    if not isinstance(node, BaseModel):
        return
    for name, info in type(node).model_fields.items():
        field = (type(node).__name__, name)
        for value in _others(info.annotation, data[name]):
            if value != data[name]:
                yield field, data | {name: value}
        for inner, changed in _changed(getattr(node, name), data[name]):
            yield inner, data | {name: changed}


def _others(annotation: Any, value: Any) -> list[Any]:
    """Return values of the same kind as `value`; they may be equal to it, or out of bounds."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [value * 1.01, value * 0.99, value + 0.01]
    if isinstance(value, str):
        return [value[:-1] + letter for letter in "ab"]
    if isinstance(value, list):
        return [value[:-1]]  # a layer fewer
    return [None] if type(None) in _alternatives(annotation) and value is not None else []
