"""A pad to draw a digit on, with the answers of the chosen runs."""
