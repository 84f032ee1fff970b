"""The page Disagreements and its own parts."""
