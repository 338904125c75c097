"""What a study may spend, and what it spent."""
