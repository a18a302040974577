"""`make bench`: the filter beside Envoy's own filters and an external authorizer, in one Envoy."""
