"""Ctrl-C is never lost, also where Python drops the exception that it raises."""

from __future__ import annotations

import os
import signal

import pytest

from mnist_core.cli.terminal import Notices, Reporter


class Dropping:
    """An object whose destructor is interrupted: Python reports such an exception, and drops it."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_is_raised_at_the_next_look() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Notices(Reporter(as_json=False)) as report:
        report(None)  # nothing was pressed yet
        Dropping()
        with pytest.raises(KeyboardInterrupt):
            report(None)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_is_raised_at_once_elsewhere() -> None:
    with pytest.raises(KeyboardInterrupt), Notices(Reporter(as_json=False)):
        os.kill(os.getpid(), signal.SIGINT)
