"""Probes: what can be read from a representation whose weights stay as they are."""
