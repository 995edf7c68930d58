"""Networks that stand on the encoder: one file each."""
