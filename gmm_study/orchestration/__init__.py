"""Running a study's trials side by side through Ray Tune, on one machine or a cluster."""
