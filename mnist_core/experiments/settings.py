"""The one table of settings: everything that a run can be given, made from the fields of the configuration types.

A new field, declared with `setting`, is in the table by itself, and with it in the Train form, in links, in sweeps, in
tables of differences and in `docs/settings.md`.

A form holds one value for each setting, by its dotted path. Two things are flatter there than in a configuration: a
structure that may be absent or is one of several kinds (such as the schedule) is a choice, and the settings of all its
kinds are below it (`training.schedule.factor`); and the number of layers stands at `model.layers`. `values_of` and
`config_of` are each other's inverse.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import RunConfig, parse_config
from mnist_core.experiments.declare import Declaration, OnlyIf, Scale, Widget, declaration
from mnist_core.experiments.fields import bounds
from mnist_core.experiments.layers import LAYER_KINDS
from mnist_core.text import data_name

Type = Literal["number", "whole number", "choice", "switch", "text"]
LAYERS, DATASET = "model.layers", "dataset.name"
SWITCHED: dict[Any, dict[str, Any] | None] = {False: None, True: {}}
"""Start values of an optional structure that has one kind, by the value of its switch."""
_FEW = 20
"""A whole number with at most so many values has a stop of its slider at each."""
_BUTTONS = 3
"""At most so many choices are buttons side by side."""


@dataclass(frozen=True)
class Setting:
    """One setting. `declared`: what its field's declaration says further.

    path: dotted; ``*`` stands for the number of a layer. type, default, minimum, maximum: of its value in a form.
    choices: the values with their words; empty where it is not a choice. shown_if: all must hold, or it has no effect.
    link: its name in links; for a layer's setting, its name in the short form of the layer.
    parts: for a structure, the plain data that it begins with, by the value in the form.
    group: the label of the structure that it belongs to; empty for none. pattern: that of its text.
    """

    path: str
    label: str
    help: str
    type: Type
    default: Any
    minimum: float | None
    maximum: float | None
    choices: Mapping[Any, str]
    shown_if: tuple[OnlyIf, ...]
    link: str
    declared: Declaration
    parts: Mapping[Any, dict[str, Any] | None] | None = None
    group: str = ""
    pattern: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def words(self) -> str:
        """The setting's name in running text, such as ``learning rate`` or ``early stopping: patience in epochs``."""
        return f"{uncapitalised(self.group)}: {self.own_words}" if self.group else self.own_words

    @property
    def own_words(self) -> str:
        """The same without the structure that it belongs to, such as ``patience in epochs``."""
        return uncapitalised(self.label)

    @property
    def widget(self) -> Widget:
        """The widget that sets it."""
        if self.declared.widget:
            return self.declared.widget
        if self.type == "choice":
            return "buttons" if len(self.choices) <= _BUTTONS else "list"
        if self.type == "switch":
            return "switch"
        if self.type == "text":
            return "none"
        if self.minimum is None or self.maximum is None:
            return "number"
        return "slider" if self.type == "number" and not self.declared.scale else "steps"

    @property
    def scale(self) -> Scale:
        """The stops of its slider."""
        few = self.minimum is not None and self.maximum is not None and self.maximum - self.minimum < _FEW
        return self.declared.scale or ("each" if few else "whole" if self.type == "whole number" else "decades")

    @property
    def step(self) -> float:
        """From one value to the next."""
        return self.declared.step or (0.01 if self.type == "number" else 1)

    def shown(self, values: Mapping[str, Any]) -> bool:
        """True if it has an effect with the other `values` of a form."""
        return all(values.get(path) in wanted for path, wanted in self.shown_if)

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, as half a sentence; empty for nothing."""
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(map(str, self.choices))}"
        if self.pattern and value != self.default and not re.search(self.pattern, value):
            return "has not the form that is needed"
        if self.type in ("number", "whole number"):
            low, high = self.minimum, self.maximum
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                return f"must be from {low:g} to {high:g}" if None not in (low, high) else "is out of its bounds"
        return ""

    def examples(self) -> tuple[Any, ...]:
        """Return some values for a sweep over it, to begin with."""
        if self.declared.examples or self.choices:
            return self.declared.examples or tuple(self.choices)
        return (False, True) if self.type == "switch" else (self.default,)

    def in_words(self, value: Any, digits: int = 6) -> str:
        """Return a value as a person writes it, fractions with `digits` significant digits; None for no value."""
        if value is None:  # as a configuration has it; a form has the choice that leaves the structure out
            value = next((choice for choice, data in (self.parts or {}).items() if data is None), None)
        if self.path == DATASET:
            return data_name(str(value))
        return self.choices[value] if value in self.choices else written_value(value, digits)


def uncapitalised(text: str) -> str:
    """Return a label as it stands inside a sentence: ``learning rate``, but ``L2 penalty``."""
    return text if text[1:2].isupper() or text[1:2].isdigit() else text[:1].lower() + text[1:]


def written_value(value: Any, digits: int = 6) -> str:
    """Return a value of any setting that is not a choice as a person writes it, fractions with `digits` digits."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return scientific(value, digits) if isinstance(value, float) else str(value)


def scientific(value: float, digits: int = 6) -> str:
    """Return a number as people write it, with `digits` significant digits: ``0.001``, ``2·10⁻⁵``."""
    value = float(f"{value:.{digits}g}")
    if not math.isfinite(value):
        return str(value)
    if value == 0 or abs(value) >= 1e-4:
        return f"{value:.10f}".rstrip("0").rstrip(".")
    mantissa, _, power = f"{value:e}".partition("e")
    digit = float(mantissa)
    exponent = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{exponent}" if digit == 1 else f"{digit:g}·10{exponent}"


# -- the table ---------------------------------------------------------------------------------------------------------


def _alternatives(annotation: Any) -> tuple[list[Any], bool]:
    """Return the types that an annotation allows, and whether None is among them."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        found: list[Any] = []
        optional = False
        for part in get_args(annotation):
            inner, with_none = _alternatives(part)
            found += inner
            optional |= with_none
        return found, optional
    return ([], True) if annotation is type(None) else ([annotation], False)


def _is_config(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _plain(owner: type[BaseModel], name: str, path: str, group: str, shown_if: tuple[OnlyIf, ...]) -> Setting:
    """Return the setting of a field that holds one value."""
    info = owner.model_fields[name]
    declared = declaration(info)
    (kind,), _ = _alternatives(info.annotation)
    values = get_args(kind) if get_origin(kind) is Literal else ()
    types_: dict[Any, Type] = {bool: "switch", int: "whole number", float: "number", str: "text"}
    limits = bounds(owner, name)
    if declared.only_if:
        shown_if = (*shown_if, declared.only_if)
    return Setting(
        path=path,
        label=info.title or name,
        help=info.description or "",
        type="choice" if values else types_[kind],
        default=info.default if declared.start is None else declared.start,
        minimum=None if kind is str else limits.minimum,
        maximum=None if kind is str else limits.maximum,
        choices={value: declared.choices.get(value, str(value)) for value in values},
        shown_if=shown_if,
        link=_link(path, declared),
        declared=declared,
        group=group,
        pattern=next((item.pattern for item in info.metadata if getattr(item, "pattern", None)), ""),
    )


def _link(path: str, declared: Declaration) -> str:
    """Return a name in links that stays when settings are added: the last part, with the structure's name before it."""
    if path.startswith(f"{LAYERS}."):
        return path.rpartition(".")[2] if declared.code is None else declared.code
    return declared.link or "_".join(path.split(".")[1:] or [path])


def _tag(kind: type[BaseModel]) -> tuple[str, str] | None:
    """Return the field that distinguishes a structure's kinds, and its value; None if there is only one kind."""
    for name, info in kind.model_fields.items():
        if not info.title and get_origin(info.annotation) is Literal:
            return name, get_args(info.annotation)[0]
    return None


def _structure(info: FieldInfo, path: str, kinds: Sequence[type[BaseModel]], *, optional: bool) -> Iterator[Setting]:
    """Yield the setting that chooses among `kinds`, and those of each kind."""
    declared, label = declaration(info), info.title or path
    parts: dict[Any, dict[str, Any] | None] = {}
    words: dict[Any, str] = {}
    belongs: dict[Any, tuple[type[BaseModel], str]] = {}  # for each choice, its kind and the one field that it has
    if declared.absent:
        parts[declared.absent[0]], words[declared.absent[0]] = None, declared.absent[1]
    for kind in kinds:
        tag = _tag(kind)
        data = {tag[0]: tag[1]} if tag else {}
        one_of: Mapping[str, str] = getattr(kind, "one_of", {})
        for choice, text in one_of.items():
            parts[choice], words[choice], belongs[choice] = data, text, (kind, choice)
        if tag and not one_of:
            parts[tag[1]], words[tag[1]], belongs[tag[1]] = data, getattr(kind, "in_words", tag[1]), (kind, "")
    switch = not words
    if switch:
        parts, belongs = dict(SWITCHED), {True: (kinds[0], "")}
    default = (False if switch else next(iter(parts))) if optional else next(iter(parts))
    yield Setting(
        path, label, info.description or "", "switch" if switch else "choice", default, None, None, words, (),
        _link(path, declared), declared, parts,
    )  # fmt: skip
    found: dict[str, Setting] = {}
    for choice, (kind, only) in belongs.items():
        for name, its_info in kind.model_fields.items():
            if not its_info.title or (only and name != only):
                continue
            if name in found:  # the kinds share it
                before = found[name].shown_if[0]
                found[name] = replace(found[name], shown_if=(OnlyIf(path, (*before.values, choice)),))
            else:
                shown_if = () if declared.implied else (OnlyIf(path, (choice,)),)
                found[name] = _plain(kind, name, f"{path}.{name}", label, shown_if)
    yield from found.values()


def _walk(owner: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    for name, info in owner.model_fields.items():
        path = f"{prefix}{name}"
        kinds, optional = _alternatives(info.annotation)
        if path == LAYERS:
            continue
        if not all(map(_is_config, kinds)):
            if info.title:
                yield _plain(owner, name, path, "", ())
        elif info.title:
            yield from _structure(info, path, kinds, optional=optional)
        else:
            yield from _walk(kinds[0], f"{path}.")


def settings_of(owner: type[BaseModel], prefix: str) -> dict[str, Setting]:
    """Return the settings that a type of its own declares, by path; `prefix` stands before the name of each field."""
    return _unique(list(_walk(owner, prefix)))


def _unique(settings: Sequence[Setting]) -> dict[str, Setting]:
    links = [setting.link for setting in settings]
    doubled = {link for link in links if links.count(link) > 1}
    if doubled:
        raise ConfigError(f"two settings are called {' and '.join(doubled)} in links; declare another `link` for one")
    return {setting.path: setting for setting in settings}


_ROWS = list(_walk(RunConfig))
SETTINGS: dict[str, Setting] = _unique([setting for setting in _ROWS if not setting.declared.implied])
"""All settings but those of layers, by path, in the order of the form."""
IMPLIED = {setting.path: setting for setting in _ROWS if setting.declared.implied}
"""Structures that are there as soon as one of their numbers is not 0: a form and links have no value for them."""
OPTIONAL = {setting.path: setting for setting in _ROWS if setting.parts and None in setting.parts.values()}
"""Structures that a configuration may do without."""
LAYER_SETTINGS: dict[str, dict[str, Setting]] = {
    kind: {
        name: _plain(layer, name, f"{LAYERS}.*.{name}", "", ())
        for name, info in layer.model_fields.items()
        if info.title
    }
    for kind, layer in LAYER_KINDS.items()
}
"""The settings of each kind of layer, by field."""
MOST_LAYERS = int(bounds(RunConfig.model_fields["model"].annotation, "layers").maximum or 1)  # type: ignore[arg-type]


def setting_at(path: str) -> Setting | None:
    """Return the setting of a path, with a layer's number or ``*`` in it; None where there is none."""
    if path.startswith(f"{LAYERS}."):
        name = path.rpartition(".")[2]
        return next((fields[name] for fields in LAYER_SETTINGS.values() if name in fields), None)
    return SETTINGS.get(path) or IMPLIED.get(path)


# -- a form's values ---------------------------------------------------------------------------------------------------


def values_of(config: RunConfig) -> dict[str, Any]:
    """Return the value of every setting; what the configuration leaves open (such as patience) has its default."""
    values = {path: _value(setting, config) for path, setting in SETTINGS.items()}
    return with_layers(values, config.model.model_dump(mode="json")["layers"])


def _value(setting: Setting, config: RunConfig) -> Any:
    node: Any = config
    for part in setting.path.split("."):
        node = getattr(node, part, None)
    if setting.parts is None:
        return setting.default if node is None else node
    for choice, data in setting.parts.items():
        if (node is None) != (data is None):
            continue
        chosen = getattr(type(node), "one_of", {})
        if all(getattr(node, name) == value for name, value in (data or {}).items()) and (
            choice not in chosen or getattr(node, choice) is not None
        ):
            return choice
    raise AssertionError(setting.path)


def config_of(values: Mapping[str, Any]) -> RunConfig:
    """Return the configuration that a form's values describe.

    Raises
    ------
    ConfigError
        with one sentence for each value that is out of its bounds or missing.
    """
    empty = [setting.words for path, setting in SETTINGS.items() if setting.shown(values) and values[path] is None]
    if empty:
        raise ConfigError(f"{' and '.join(empty)}: give a number; the field is empty")
    data: dict[str, Any] = {"model": {"layers": layers_in(values)}}
    for path, setting in SETTINGS.items():
        if not setting.shown(values):
            continue
        *parents, last = path.split(".")
        node = data
        for part in parents:
            node = node.setdefault(part, {})
        value = values[path]
        if setting.parts is not None:
            begun = setting.parts[value]
            value = None if begun is None else dict(begun)
        elif setting.type == "text" and not value:
            value = None
        node[last] = value
    for path in IMPLIED:
        parent, _, last = path.rpartition(".")
        if not any(data[parent][last].values()):
            data[parent][last] = None
    return parse_config(data)


def layers_in(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the layers that a form's values describe, as plain data."""
    kinds = [values[layer_path(index, "kind")] for index in range(values[LAYERS])]
    return [
        {"kind": kind, **{name: values[layer_path(index, name)] for name in LAYER_SETTINGS[kind]}}
        for index, kind in enumerate(kinds)
    ]


def with_layers(values: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values with these layers, plain data, in place of those that they had."""
    kept = {path: value for path, value in values.items() if not path.startswith(f"{LAYERS}.")}
    found = {layer_path(index, name): value for index, layer in enumerate(layers) for name, value in layer.items()}
    return {**kept, LAYERS: len(layers), **found}


def layer_path(layer: int, name: str) -> str:
    """Return the path of one field of one layer; layers are counted from 0."""
    return f"{LAYERS}.{layer}.{name}"
