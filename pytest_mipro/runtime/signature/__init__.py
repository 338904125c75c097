"""What a module is: a typed function, its inputs, and the format of its output."""
