"""A comparison as one document."""
