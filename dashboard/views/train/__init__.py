"""The page Train and its own parts."""
