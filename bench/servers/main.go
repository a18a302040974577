// The servers that the benchmark puts around Envoy: the MCP server behind it,
// and an authorizer beside it for the chain with ext_authz.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 3 && arguments[0] == "upstream" {
		return serveUpstream(arguments[1], arguments[2])
	}
	if len(arguments) == 3 && arguments[0] == "authorizer" {
		return serveAuthorizer(arguments[1], arguments[2])
	}
	return fmt.Errorf("usage: servers upstream ADDRESS TOOLS.json | servers authorizer ADDRESS SETTINGS.json")
}
