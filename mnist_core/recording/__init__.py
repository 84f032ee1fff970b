"""Runs from outside: predictions by hand, a Keras callback, and the files of other tools."""
