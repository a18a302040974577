"""What the tests of the running token service share."""
