"""MLflow as a view of the records, which are the truth."""
