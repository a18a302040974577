"""The parts of the demonstration, each with its ports and places as parameters."""
