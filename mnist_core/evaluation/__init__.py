"""What predictions are worth: metrics, calibration, mistakes, statistics, label errors."""
