"""Sentences about the duplicates in a dataset."""

from __future__ import annotations

from mnist_core.data.duplicates import NEAR, DataCheck

SHARE = f"{100 * NEAR:.0f} %"


def leak_words(check: DataCheck, name: str) -> str:
    """Return a sentence on the test images that are also trained on; empty if there are none. `name`: of the data."""
    parts = []
    if check.test_in_train:
        parts.append(f"{check.test_in_train:,} of the {check.test:,} test images of {name} are training images, too")
    if check.near:
        which = f"{check.near:,} {'more ' if parts else ''}of the {check.near_examined:,} test images"
        which += "" if check.near_examined + check.test_in_train == check.test else " that were examined"
        which += "" if parts else f" of {name}"
        differ = f"from a training image by less than {SHARE} of {'its' if check.near == 1 else 'their'} contrast"
        parts.append(f"{which} {'differs' if check.near == 1 else 'differ'} {differ}")
    if not parts:
        return ""
    return f"{', and '.join(parts)}: a network may remember them, which makes its test accuracy look better than it is."


def label_words(check: DataCheck, name: str) -> str:
    """Return a sentence on images with more than one label; empty if there are none."""
    count = check.conflicts
    if not count:
        return ""
    if count == 1:
        return f"One image of {name} occurs with more than one label, so that one of its labels is wrong."
    return f"{count:,} images of {name} occur with more than one label, so that some of their labels are wrong."


def repeat_words(check: DataCheck, name: str) -> str:
    """Return a sentence on images that repeat another one of their own part; empty if there are none."""
    parts = [
        f"{count:,} {part} image{'' if count == 1 else 's'}"
        for part, count in (("training", check.repeated_train), ("test", check.repeated_test))
        if count
    ]
    if not parts:
        return ""
    held = " Where training images are held out for validation, copies may be on both sides." if (
        check.repeated_train
    ) else ""  # fmt: skip
    one = check.repeated_train + check.repeated_test == 1
    return f"{' and '.join(parts)} of {name} {'repeats' if one else 'repeat'} an earlier one.{held}"


def check_words(check: DataCheck, name: str) -> list[str]:
    """Return all that was found in a dataset, a sentence each; one that says so if nothing was found."""
    texts = [leak_words(check, name), label_words(check, name), repeat_words(check, name)]
    return [text for text in texts if text] or [
        f"No image of {name} occurs twice, and no test image differs from a training image by less than {SHARE} "
        "of its contrast."
    ]
