"""Programs are measured: cases run concurrently."""
