"""What scores say: intervals, tests, decisions."""
