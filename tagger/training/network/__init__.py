"""Train a whole network on images, starting from a backbone and a head."""
