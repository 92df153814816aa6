"""One trial: its configuration and id, its record, and training it without any cluster."""
