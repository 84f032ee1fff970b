"""Sweeps and searches: many runs that belong together."""
