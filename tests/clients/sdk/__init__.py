"""The official SDKs, as the tests drive them, and the gate that they go through."""
