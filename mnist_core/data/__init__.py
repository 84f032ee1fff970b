"""Datasets, their images, and augmentation."""
