"""The pages that a person reads: a study's report, the reproduction of published figures."""
