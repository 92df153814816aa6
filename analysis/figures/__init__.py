"""The figures of studies, in one style."""
