"""Charts: from a frame to an Altair chart, one file a picture."""
