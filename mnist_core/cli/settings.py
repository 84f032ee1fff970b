"""The command that lists every setting, and the page of the documentation that is made by it."""

from __future__ import annotations

import argparse

from mnist_core.cli.terminal import Reporter
from mnist_core.experiments.layers import LAYER_KINDS
from mnist_core.experiments.settings import LAYER_SETTINGS, SETTINGS, Setting

PAGE = "docs/settings.md"
HEAD = """# Settings

Made by `python -m mnist_core settings --markdown > docs/settings.md` from the fields of the configuration types; a test
fails where it is out of date.

The path is for `--set` and for sweeps; the name in a link is that of the Train page's address. In a configuration, a
structure that is left out is `null`; it is set as a whole, such as `--set 'training.early_stopping={"patience": 3}'`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--markdown", action="store_true", help="as a page of the documentation")


def settings(options: argparse.Namespace, reporter: Reporter) -> int:
    """List every setting with its path, its values and what it does."""
    if options.markdown and not options.json:
        print(page(), end="")
        return 0
    rows = [
        {"path": item.path, "of": kind, "label": item.label, "values": allowed(item), "default": default(item),
         "link": item.link, "help": item.help}
        for kind, item in _every()
    ]  # fmt: skip
    return reporter.table(rows, ["path", "of", "label", "values", "default"])


def _every() -> list[tuple[str, Setting]]:
    """Return all settings, those of layers with the kind."""
    layers = [(kind, item) for kind, fields in LAYER_SETTINGS.items() for item in fields.values()]
    return [*(("", item) for item in SETTINGS.values()), *layers]


def allowed(setting: Setting) -> str:
    """Return the values that a setting may have, in a few words."""
    if setting.choices:
        return ", ".join(setting.choices)
    if setting.type == "switch":
        return "yes or no" if setting.parts is None else "given or not"
    if setting.minimum is not None and setting.maximum is not None:
        return f"{setting.minimum:g} to {setting.maximum:.10g}"
    return setting.type


def default(setting: Setting) -> str:
    """Return the value of a setting that is not given."""
    if isinstance(setting.default, bool):
        return "yes" if setting.default else "no"
    return f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default)


def page() -> str:
    """Return the page of the documentation, as Markdown."""
    lines = [HEAD, "| path | in a link | values | default | what it does |", "|---|---|---|---|---|"]
    for item in SETTINGS.values():
        only = " ".join(f"Only with {condition.path} {' or '.join(map(_in_words, condition.values))}."
                        for condition in item.shown_if)  # fmt: skip
        lines.append(_row(f"`{item.path}`", f"`{item.link}`", item, only))
    lines += ["", "## Layers", ""]
    lines += ["A link has layers in a row, each with what differs from its defaults: `conv16k3-pool2-dense64d0.2`.", ""]
    for kind, fields in LAYER_SETTINGS.items():
        lines += [f"### {LAYER_KINDS[kind].label} (`{kind}`)", "", LAYER_KINDS[kind].about, ""]
        if fields:
            lines += ["| path | in a link | values | default | what it does |", "|---|---|---|---|---|"]
            lines += [_row(f"`{item.path}`", f"`{item.link}…`" if item.link else "the value", item)
                      for item in fields.values()]  # fmt: skip
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(path: str, link: str, item: Setting, only: str = "") -> str:
    text = f"**{item.label}.** {item.help}" + (f" {only}" if only else "")
    return f"| {path} | {link} | {allowed(item)} | {default(item)} | {text} |"


def _in_words(value: object) -> str:
    return "given" if value is True else str(value)
