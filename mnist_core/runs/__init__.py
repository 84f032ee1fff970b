"""A run on disk: reading, writing, who may write, and the store that holds all runs."""
