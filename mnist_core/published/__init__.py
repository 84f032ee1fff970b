"""What sources print, compared with what was measured here."""
