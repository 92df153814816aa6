"""What is tried next and what is stopped early, by what the trials of a cell have reached."""
