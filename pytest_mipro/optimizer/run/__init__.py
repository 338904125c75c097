"""What all stages of a run share."""
