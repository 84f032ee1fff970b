"""Labels of runs where a chart has little room, such as in its margin: shorter, and no two alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from mnist_core.plots.labels import SOURCE


def margin_names(labels: Sequence[str], letters: int) -> list[str]:
    """Return the labels in at most `letters` letters, such as for the margin of a chart; no two different ones alike.

    A folder before all of them, such as ``notebook/``, is left out. A longer label loses the number of its seeds, then
    the parts that all labels have, then the source of its preset, then the parts that tell it from no other. What is
    left is whole; only a part that is too long by itself loses letters in its middle.
    """
    found = _without_folder(labels)
    parts = [set(PART.split(label)) for label in found]
    shared = set.intersection(*parts) if len(set(found)) > 1 else set()

    def without_shared(label: str) -> str:
        return ", ".join(part for part in PART.split(label) if part not in shared)

    ways = (lambda label: re.sub(r", n = \d+$", "", label), without_shared, lambda label: re.sub(SOURCE, "", label))
    for way in ways:
        shorter = [way(text) if len(text) > letters else text for text in found]
        looks = Counter(dict(zip(labels, shorter, strict=True)).values())
        found = [new if new and looks[new] == 1 else old for old, new in zip(found, shorter, strict=True)]
    found = _abridged(found, letters)
    # where the letters near the end do not tell labels apart, those near the beginning may, or some in between
    cuts = {head: [_cut(text, letters, head) for text in found] for head in range(1, letters - 1)}
    best = max(
        cuts,
        key=lambda head: (
            len(set(cuts[head])),
            sum(_whole_words(text, letters, head) for text in found),
            -abs(head - (letters // 2 - 1)),
        ),
    )
    return _numbered(labels, cuts[best], letters)


PART = re.compile(r"[,;:] ")
"""Between the parts of a label."""


def _abridged(labels: Sequence[str], letters: int) -> list[str]:
    """Return the labels with as many of their parts as there is room for, first of all those that tell them apart.

    Where the parts that are needed have no room, there are values alone, such as ``128, tanh``. A label of which a
    needed part is too long by itself becomes this part.
    """
    parts = {label: PART.split(label) for label in labels}
    long = {label: _telling(label, parts) for label in parts if len(label) > letters}
    whole = {label: label for label in parts} | {label: _chosen(label, parts, long[label], letters) for label in long}
    looks = Counter(whole.values())
    crowded = [
        label
        for label, telling in long.items()
        if looks[whole[label]] > 1 or (len(telling) > 1 and any(part not in whole[label] for part in telling))
    ]
    if crowded:
        common = set.intersection(*(set(parts[label]) for label in long))
        # the same settings of all, else of each those that it needs
        values = {label: _values([part for part in parts[label] if part not in common], parts) for label in long}
        if len(set(values.values())) < len(long) or max(map(len, values.values())) > letters:
            values = {label: _values(long[label], parts) for label in crowded}
        whole |= {label: text for label, text in values.items() if 0 < len(text) <= letters}
    return [whole[label] for label in labels]


def _telling(label: str, parts: Mapping[str, list[str]]) -> list[str]:
    """Return parts of a label that no other label has together, in their order; all that there are, if none do."""
    rivals = [set(own) for other, own in parts.items() if other != label]
    left, kept = list(dict.fromkeys(parts[label])), list[str]()
    while rivals and left:
        best = max(left, key=lambda part: sum(part not in rival for rival in rivals))
        if all(best in rival for rival in rivals):
            break
        left.remove(best)
        kept.append(best)
        rivals = [rival for rival in rivals if best in rival]
    return sorted(kept, key=parts[label].index)


def _chosen(label: str, parts: Mapping[str, list[str]], telling: Sequence[str], letters: int) -> str:
    """Return a label of the `telling` parts, and of further ones from its beginning, if they fit."""
    own = parts[label]
    kept = {own.index(part) for part in telling}
    if len(_joined(label, own, kept)) > letters:
        # one of them, which is cut if it is too long
        kept = {max((own.index(part) for part in telling), key=lambda place: (len(own[place]) <= letters - 4, -place))}
        if len(_joined(label, own, kept)) > letters:
            return own[min(kept)]
    for place in range(len(own)):
        if len(_joined(label, own, kept | {place})) <= letters:
            kept.add(place)
    return _joined(label, own, kept) if kept else label


def _joined(label: str, parts: Sequence[str], kept: Collection[int]) -> str:
    """Return the kept parts of a label, by their places, with a sign where others are left out."""
    between = PART.findall(label)
    text, last = "", -1
    for place in sorted(kept):
        if place > last + 1:
            text += " … " if text else "… "
        elif text:
            text += between[place - 1]
        text, last = text + parts[place], place
    return text + (" …" if text and last < len(parts) - 1 else "")


def _values(chosen: Sequence[str], parts: Mapping[str, list[str]]) -> str:
    """Return parts without the words before their values: those that all parts begin with that begin like them."""
    found = []
    for part in chosen:
        words = part.split()
        alike = [other.split() for own in parts.values() for other in own if other.split()[:1] == words[:1]]
        same = 0
        while all(len(other) > same + 1 and other[same] == words[same] for other in alike):
            same += 1
        found.append(" ".join(words[same:]))
    return ", ".join(found)


def _without_folder(labels: Sequence[str]) -> list[str]:
    """Return the labels without the folders that all of several labels begin with."""
    parts = [label.split("/") for label in labels]
    same = 0
    if len(set(labels)) > 1:
        while all(len(own) > same + 1 and own[same] == parts[0][same] for own in parts):
            same += 1
    return ["/".join(own[same:]) for own in parts]


def _cut(label: str, letters: int, head: int) -> str:
    """Return a label without its middle if it is long, of which so many letters stay before the gap."""
    if len(label) <= letters:
        return label
    return f"{label[:head].rstrip()}…{label[head + 1 - letters :].lstrip()}"


def _whole_words(label: str, letters: int, head: int) -> int:
    """Return how many of the two words at the gap that `_cut` makes are whole; 0 where it makes none."""
    if len(label) <= letters:
        return 0
    places = (head, len(label) + head + 1 - letters)
    return sum(not (label[place - 1].isalnum() and label[place].isalnum()) for place in places)


def _numbered(labels: Sequence[str], shown: Sequence[str], letters: int) -> list[str]:
    """Return what is shown of the labels; where two different labels look alike, each but the first gets a number."""
    taken: dict[str, str] = {}
    for label, text in zip(labels, shown, strict=True):
        number, own = 1, text
        while label not in taken and own in taken.values():
            number += 1
            own = f"{text[: letters - len(str(number)) - 1].rstrip()} {number}"
        taken.setdefault(label, own)
    return [taken[label] for label in labels]
