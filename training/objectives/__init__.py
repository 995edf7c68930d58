"""The objectives that a network can be trained with: one file, or folder, each."""
