"""What is optimised: cases, tests, rows, settings."""
