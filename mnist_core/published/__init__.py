"""Published figures, compared with those measured here."""
