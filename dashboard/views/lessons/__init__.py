"""The Lessons page and its parts."""
