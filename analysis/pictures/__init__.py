"""What a report has as figures, with their captions; `analysis/figures` draws them."""
