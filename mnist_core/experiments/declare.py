"""Declaration of settings: each once, with its field. Forms, links, command line and documentation are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import Field
from pydantic.fields import FieldInfo

Widget = Literal["slider", "steps", "number", "buttons", "list", "switch", "none"]
"""The widget for the setting; `none` for a fixed value without a widget, `steps` for a slider over `Scale`."""
Scale = Literal["whole", "each", "decades", "powers of two"]
"""Stops of a `steps` slider: whole numbers at growing distances, every number, 1, 2 and 5 of each power of ten, …"""


class OnlyIf(NamedTuple):
    """A condition: the setting has an effect only while another one (its dotted path) has one of these values."""

    path: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Declaration:
    """The optional parts of a declaration, beyond label, help, default and bounds.

    widget, step, scale, format: its widget; None if type and bounds decide it (see `settings`).
        format: as `st.slider` takes it, or a template such as ``{0}×{0}``.
    zero: True where a logarithmic scale has a 0 in front.
    choices: values in words, where the value itself is not one.
    link: its name in links; None for one made of its path. code: its name in the short form of a layer.
    named: its change in a few words for a run's name, such as ``rate {}``; None for label and value. named_one: the
        same for the value 1, where that is another word.
    start: what a form shows where the configuration leaves it open.
    only_if: a condition under which alone it has an effect.
    examples: values for a sweep over it, to begin with.
    absent: for an optional structure, the choice that leaves it out: its value and its words.
    implied: True for a structure that is there as soon as one of its numbers is not 0.
    came_later: True for a field that is newer than stored runs: left out of a run's identity at its default.
    """

    widget: Widget | None = None
    step: float | None = None
    scale: Scale | None = None
    format: str | None = None
    zero: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None
    code: str | None = None
    named: str | None = None
    named_one: str | None = None
    start: Any = None
    only_if: OnlyIf | None = None
    examples: tuple[Any, ...] = ()
    absent: tuple[str, str] | None = None
    implied: bool = False
    came_later: bool = False


_BOUNDS = {"ge", "gt", "le", "lt", "min_length", "max_length", "pattern"}


def setting(default: Any, *, label: str, help: str, **more: Any) -> Any:  # as Streamlit calls it
    """Declare a setting: its default, its label and its explanation.

    more: its bounds, as `pydantic.Field` takes them, and what `Declaration` has.
    """
    limits = {name: more.pop(name) for name in _BOUNDS & set(more)}
    extra = {"declaration": Declaration(**more)}
    # no JSON schema is made from configurations, so that what stands there need not be JSON
    return Field(default, title=label, description=help, json_schema_extra=extra, **limits)  # type: ignore[arg-type]


def declaration(info: FieldInfo) -> Declaration:
    """Return what a field's declaration says."""
    extra = info.json_schema_extra
    found = extra.get("declaration") if isinstance(extra, dict) else None
    return found if isinstance(found, Declaration) else Declaration()
