// Package thermie is the root of the module; it holds only the tests that keep
// the repository's rules (floors, package comments). Begin with README.md, then
// docs/architecture.md.
package thermie
