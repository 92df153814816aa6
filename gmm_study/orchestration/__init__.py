"""Running the trials of a study in parallel with Ray Tune, on one machine or a cluster."""
