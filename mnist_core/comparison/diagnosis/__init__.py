"""Diagnosis of the curves of a run: rules find codes and numbers, `words` makes the sentences."""
