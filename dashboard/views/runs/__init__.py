"""The page with the table of all runs."""
