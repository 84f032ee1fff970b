"""Who uses a store, and what each may do: in a class on one server there are students and their teacher.

A store knows the person who uses it (`Store(who=…)`) and checks each change here, so that no page and no command can
forget to. Without a class there is one person, the owner of the machine, who may do everything.

A name is not an account: it says whose a run is, and it is only text wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mnist_core.errors import ConfigError, NotAllowed

Role = Literal["teacher", "student", "visitor"]
"""visitor: somebody who has not said a name, or whom nobody knows; a visitor may look, and change nothing."""

Action = Literal[
    "train", "add", "change", "stop", "resume", "delete", "restore", "empty_trash", "pin", "data", "import"
]

Reach = Literal["all", "own", "none"]
"""Whose runs a role may act on."""

LONGEST_PERSON = 40
"""So many characters may a person's name have."""

TEACHER = "Teacher"
"""The name of whoever opens the teacher's link; no student can have it."""

ALLOWED: Mapping[Action, Reach] = {
    "train": "all",
    "add": "all",
    "change": "own",
    "stop": "own",
    "resume": "all",
    "delete": "own",
    "restore": "own",
    "empty_trash": "none",
    "pin": "none",
    "data": "none",
    "import": "none",
}
"""What a student may do: with any run, with the student's own, or not at all. A teacher may do everything."""

_WORDS: Mapping[Action, str] = {
    "train": "train",
    "add": "add predictions",
    "change": "change",
    "stop": "stop",
    "resume": "resume",
    "delete": "delete",
    "restore": "restore",
    "empty_trash": "empty the trash",
    "pin": "pin runs for the class",
    "data": "download, register or remove data sets",
    "import": "take over runs from an archive",
}


@dataclass(frozen=True)
class Person:
    """Somebody who uses a store. name: empty where there is no class, or nobody has said one."""

    name: str
    role: Role

    def may(self, action: Action, owner: str = "") -> bool:
        """True if this person may do it to a run of `owner`, or to something that has no owner."""
        if self.role == "teacher":
            return True
        reach = ALLOWED[action]
        return self.role == "student" and (reach == "all" or (reach == "own" and owner == self.name != ""))

    def check(self, action: Action, owner: str = "", what: str = "") -> None:
        """Raise NotAllowed where `may` is False. what: such as the name of the run."""
        if refusal := self.refusal(action, owner, what):
            raise NotAllowed(refusal)

    def refusal(self, action: Action, owner: str = "", what: str = "") -> str:
        """Return why this person may not do it, and who may; empty where `may` is True."""
        if self.may(action, owner):
            return ""
        if self.role != "student":
            return f"nobody without a name may {_WORDS[action]} here; open the address of the class and enter your name"
        if ALLOWED[action] == "none":
            return f"{self.name} may not {_WORDS[action]}; only the teacher may, so ask there"
        whose = f"is by {owner}" if owner else "is by nobody in the class"
        who = f"only {owner} or the teacher may" if owner else "only the teacher may"
        return f"{self.name} may not {_WORDS[action]} {what or 'this'}, which {whose}; {who}"


OWNER = Person("", "teacher")
"""Whoever runs this program on a machine of their own."""

VISITOR = Person("", "visitor")


def owner() -> Person:
    """Return OWNER: who uses a store where there is no class."""
    return OWNER


def student(name: str) -> Person:
    """Return the student of this name. Raises what `checked_name` raises."""
    return Person(checked_name(name), "student")


def checked_name(text: str) -> str:
    """Return a person's name as it is kept: one line, without spaces at its ends or twice in a row.

    Raises
    ------
    ConfigError
        where nothing is left of it, it is longer than LONGEST_PERSON, or it holds a character that cannot be seen.
    """
    name = " ".join(text.split())
    if not name:
        raise ConfigError("the name is empty; write your name, such as Ada")
    if len(name) > LONGEST_PERSON:
        raise ConfigError(f"the name has {len(name)} characters, and {LONGEST_PERSON} are allowed; make it shorter")
    if not name.isprintable():
        raise ConfigError("the name holds a character that cannot be seen; write it with letters")
    return name
