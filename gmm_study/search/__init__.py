"""Hyperparameter searches: which trial to try next, and which trials to stop early."""
