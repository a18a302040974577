"""One real Envoy between a client that can send anything and servers that see everything."""
