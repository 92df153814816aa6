"""Speed, always as ratios measured in one interleaved run."""
