"""Lessons: text files that ask for a prediction first, and then show what runs answer."""
