"""Speed and memory, always beside what they should be: ratios within one interleaved run."""
