// Package app is the only package that knows every part: it reads the
// configuration, wires the parts of the wanted role together, runs them and
// stops them.
//
// One life: Main parses the command, load reads defaults < file < environment <
// flags, New binds every listener and builds the parts, Run starts them, waits
// for the end, and stops them in reverse order within ten seconds.
//
// The media role is video, page and room API; the chat role is comments. In one
// process they share a memory broker; apart they share Redis. They meet in one
// small contract, the retained state of a room (see states).
//
// Decisions
//
//   - A stack of parts with named stops, over a framework of hooks: order of
//     start and stop is the order of lines in New.
//   - Unknown BARRAGE_ variables are warned about, unknown keys in the file are
//     errors: container platforms inject names of their own into the environment.
//   - Links with keys and tokens are printed to a terminal or on request only, and
//     never logged: what a supervisor captures is no place for secrets.
package app
