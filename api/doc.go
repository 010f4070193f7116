// Package api is the door of the house: the HTTP server with its sign-in, the
// dashboard's pages in French and English and a small JSON API.
//
// Every address stands in one table (routes.go) with the access.Action that it
// needs; one guard asks access.May before any handler runs, and a series store
// is reached only with the access.Scope of the person who asks. What a person
// may not see never leaves the server: another company's page answers 404, as
// if it did not exist.
//
// Pages are rendered here (html/template) and hold under a content security
// policy without any inline script or style; they can be read, and printed,
// without JavaScript. Charts are drawn in the browser from data blocks by the
// vendored ECharts, and each has its table.
//
// The packages below are reached through small interfaces declared in data.go,
// which the registry, the series store and the reports satisfy as they are.
package api
