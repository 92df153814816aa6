"""`python -m gmm_study` is the command `gmm-study`."""

from gmm_study.cli import main

main()
