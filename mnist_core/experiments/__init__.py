"""What to train, without effects: configurations, layers, presets, grids, search spaces, Keras code."""
