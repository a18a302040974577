"""The official conformance suite, run against a server itself and through the gate.

`run` is the whole run, `suite` the official suite and its results, `sets` what is run of
it and what has to pass, `stack` the server (`fixture/`), the gate and the proxy with the
token (`with-token.js`), `report` what is told of it.
"""
