"""The base of all configurations: immutable, checked, and with errors that a person can read."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mnist_core.errors import ConfigError, DamagedFile
from mnist_core.files import printable

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class Frozen(BaseModel):
    """Base of all checked records: immutable, unknown fields refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Checked(ModelMetaclass):
    """Lets a configuration be made as a person writes it: `DenseLayer(64)`, and a bad value is a ConfigError."""

    positional: tuple[str, ...]

    def __call__(self, *values: Any, **data: Any) -> Any:
        names = self.positional
        if len(values) > len(names):
            allowed = f"at most {len(names)} without a name ({', '.join(names)})" if names else "each with its name"
            raise ConfigError(f"{self.__name__} got {len(values)} values without a name; give {allowed}")
        for name, value in zip(names, values, strict=False):
            if name in data:
                raise ConfigError(f"{self.__name__} got {name} twice: {value!r} and {data[name]!r}; give it once")
            data[name] = value
        try:
            return super().__call__(**data)
        except ValidationError as error:
            unknown = any(item["type"] == "extra_forbidden" and len(item["loc"]) == 1 for item in error.errors())
            known = f"; it has {', '.join(vars(self)['__pydantic_fields__'])}" if unknown else ""
            raise ConfigError(f"{self.__name__}: {explain(error)}{known}") from None


class Config(Frozen, metaclass=_Checked):
    """Base of all configurations.

    Raises
    ------
    ConfigError
        when made with a value that is out of its bounds: one sentence a field, with the value and the limit.
    """

    positional: ClassVar[tuple[str, ...]] = ()
    """Fields that may be given without their names, in this order."""


MOST_EXPLAINED = 10
"""Errors that are named one by one; a damaged file may have thousands."""


def shortened(value: Any, most: int = 100) -> str:
    """Return what a value looks like in Python, with its middle left out where it is long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


def explain(error: ValidationError) -> str:
    """Return a pydantic error as sentences: field, what is expected, the value given."""
    lines = []
    errors = error.errors(include_url=False, include_context=False)
    for item in errors[:MOST_EXPLAINED]:
        # pydantic puts a layer's kind after its number, which is no part of the path
        pairs = itertools.pairwise(("", *item["loc"]))
        loc = [part for before, part in pairs if not (isinstance(before, int) and part in _tags)]
        path = ".".join(str(part) for part in loc) or "configuration"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "there is no such field"
        given = item["input"]
        shown = "" if isinstance(given, dict | BaseModel) else f" (given: {shortened(given)})"
        lines.append(f"{path}: {message}{shown}")
    if len(errors) > MOST_EXPLAINED:
        lines.append(f"and {len(errors) - MOST_EXPLAINED} more")
    return "; ".join(lines)


def damage(path: Path, error: OSError | ValueError) -> str:
    """Return what is wrong with a file that could not be read, in words that begin with the file's name."""
    if isinstance(error, DamagedFile):
        return str(error)
    if isinstance(error, ValidationError):
        reason = explain(error)
    else:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return printable(f"{path.name}: {reason}")


_tags: set[int | str] = set()


def hide_tags(*tags: str) -> None:
    """Leave these discriminators out of the paths in messages, where they follow the number of an item."""
    _tags.update(tags)
