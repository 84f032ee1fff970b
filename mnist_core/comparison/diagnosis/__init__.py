"""What the curves of a run show: rules find codes and numbers, `words` makes the sentences."""
