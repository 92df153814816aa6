"""Training of one configuration, all its replicates together."""
