package safehttp

import (
	"encoding/json"
	"net/http"
)

type errorBody struct {
	Error errorText `json:"error"`
}

type errorText struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// WriteError answers with {"error":{"code","message"}}: code for programs, from
// a closed set; message for people, saying what to do.
func WriteError(w http.ResponseWriter, status int, code, message string) {
	body, err := json.Marshal(errorBody{Error: errorText{Code: code, Message: message}})
	if err != nil { // two strings always encode
		panic(err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that left needs no answer
}
