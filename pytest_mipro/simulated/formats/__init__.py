"""Chat formats that the stand-in reads and writes, and the task that it understands from them."""
