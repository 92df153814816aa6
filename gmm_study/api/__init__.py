"""The Python interface: what the command line does, as functions that return their results.

They are imported as `gmm_study.NAME`. Invalid input raises `gmm_study.InputError` with one line
that names the field, the value and what is allowed.
"""
