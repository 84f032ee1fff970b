"""The page Published and its own parts."""
