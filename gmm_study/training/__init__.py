"""Training of one configuration, with all its replicates together."""
