"""The files of the pages that a lesson can lead to."""

from __future__ import annotations

from mnist_core.lessons.lesson import Page

FILES: dict[Page, str] = {
    "Compare": "views/compare/page.py",
    "Train": "views/train/page.py",
    "Runs": "views/runs/page.py",
    "Mistakes": "views/mistakes/page.py",
    "Disagreements": "views/disagreements/page.py",
    "Draw": "views/draw/page.py",
    "Sweeps": "views/sweeps/page.py",
    "Exams": "views/exams/page.py",
    "Loss or accuracy?": "views/loss_or_accuracy.py",
    "Which one for production?": "views/production.py",
    "When to say “I don't know”?": "views/abstention.py",
    "Published": "views/published/page.py",
    "Models": "views/models.py",
    "Data": "views/data.py",
}
