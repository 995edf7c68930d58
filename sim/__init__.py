"""Procedural scenes of a category, simulated in PyBullet and written as a BOP data set."""
