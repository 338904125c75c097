"""The plain run: cases are recorded, and each test gets a verdict."""
