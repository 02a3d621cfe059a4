"""From the metrics of the fits to intervals, corrected p-values and verdicts."""
