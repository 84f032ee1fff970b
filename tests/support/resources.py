"""Other values for what pages share."""

from __future__ import annotations

import sys
from typing import Any

import pytest


def share(monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    """Put a value in the place of a name of `dashboard.resources`, for pages and for the files of that package."""
    import dashboard.resources  # noqa: F401 -- loads its files

    modules = [module for key, module in sys.modules.items() if f"{key}.".startswith("dashboard.resources.")]
    holders = [module for module in modules if name in vars(module)]
    assert holders, f"dashboard.resources has no {name}"
    for module in holders:
        monkeypatch.setattr(module, name, value)
