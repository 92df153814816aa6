"""The Python interface: what the command line does, as functions that return what they found.

`gmm_study` offers them by their names. Input that cannot be used raises `gmm_study.InputError`, one
line that names the field, the value and what would be right.
"""
