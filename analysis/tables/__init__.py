"""The tables of a study, the published ones and ours beside them: laid out, then formatted."""
