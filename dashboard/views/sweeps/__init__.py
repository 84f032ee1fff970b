"""The page Sweeps and its own parts."""
