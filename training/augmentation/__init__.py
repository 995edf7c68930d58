"""Changes of images that leave it known where every pixel came from."""
