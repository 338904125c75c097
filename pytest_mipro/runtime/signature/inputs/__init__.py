"""The inputs of a module: described, checked, as JSON values; images, files and chat history."""
