"""What batches are made of: crops, pairs and sequences with their truth."""
