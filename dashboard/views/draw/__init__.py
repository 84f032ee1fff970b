"""The page that takes a drawn digit to every chosen run."""
