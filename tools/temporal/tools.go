//go:build tools

// Package tools pins the command that `go build` makes from this module.
package tools

import _ "github.com/temporalio/cli/cmd/temporal"
