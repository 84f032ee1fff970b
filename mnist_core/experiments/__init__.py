"""Experiments as data, without side effects: configurations, layers, presets, grids, search spaces, Keras code."""
