"""The figures of a report with their captions, which are written from the data they show."""
