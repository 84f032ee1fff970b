"""Building and training models. TensorFlow is imported here, and only when a model is built."""
