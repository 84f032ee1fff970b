"""Which run is better, and why."""
