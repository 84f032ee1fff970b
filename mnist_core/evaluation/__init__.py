"""Evaluation of predictions: metrics, calibration, mistakes, statistics, label errors."""
