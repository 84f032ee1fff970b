"""Sentences from (result, names): the results of `comparison` hold values and codes only.

One module a subject. Texts are plain: whoever shows one escapes it for HTML or Markdown as a whole.
"""

from mnist_core.comparison.words.settings import setting_words

__all__ = ["setting_words"]
