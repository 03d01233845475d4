"""The commands of the program `accelerate`, as seen from Python."""
