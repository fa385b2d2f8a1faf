package api

import "net/http"

// WriteProblem answers a request with an error as all routes do. It is for the handlers of Extra routes.
func WriteProblem(w http.ResponseWriter, err error) { problemOf(err).write(w) }
