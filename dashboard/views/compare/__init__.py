"""The page Compare and its own parts."""
