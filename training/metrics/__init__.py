"""Figures of frames and descriptors, from predictions and truth."""
