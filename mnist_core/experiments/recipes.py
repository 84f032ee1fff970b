"""Recipes: two configurations have the same recipe if they differ in nothing but the seed."""

from __future__ import annotations

import hashlib
import json

from mnist_core.experiments.configs import SCHEMA_VERSION, RunConfig


def recipe_id(config: RunConfig) -> str:
    """Return 12 hexadecimal digits that all seeds of a configuration share, and no other configuration."""
    data = json.loads(config.canonical_json())
    del data["training"]["seed"]
    text = f"recipe {SCHEMA_VERSION}\n{json.dumps(data, sort_keys=True, separators=(',', ':'))}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]
