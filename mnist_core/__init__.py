"""Train small digit classifiers and compare them honestly.

Importing this package does not import TensorFlow; training does.
"""

__version__ = "0.1.0"
