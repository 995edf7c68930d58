"""What slots show of an image."""
