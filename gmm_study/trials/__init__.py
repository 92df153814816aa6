"""One trial: its configuration and identity, its record, and running it without any cluster."""
