"""The token service against the documents of its APIs."""
