"""The page Mistakes and its own parts."""
