package app

import (
	"bytes"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// execute runs one command line.
func execute(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, bad bytes.Buffer
	code = Main(t.Context(), Process{Version: "v1", Args: args, Env: env, Stdout: &out, Stderr: &bad})
	return code, out.String(), bad.String()
}

// command1 runs a command that prints one line.
func command1(t *testing.T, args ...string) string {
	t.Helper()
	code, out, bad := execute(t, nil, args...)
	line, rest, ok := strings.Cut(out, "\n")
	if code != exitOK || !ok || rest != "" || line == "" {
		t.Fatalf("%v = %d %q %q, want one line", args, code, out, bad)
	}
	return line
}

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	write(t, bad, "http:\n  port: 1\n")
	for _, c := range []struct {
		line   string
		env    []string
		code   int
		stdout string
		stderr string
	}{
		{line: "", code: exitUsage, stderr: "barrage serve"},
		{line: "fly", code: exitUsage, stderr: `no command "fly"`},
		{line: "help", code: exitOK, stdout: "barrage serve"},
		{line: "version", code: exitOK, stdout: "barrage v1"},
		{line: "serve -nonsense", code: exitUsage, stderr: "-nonsense"},
		{line: "serve now", code: exitUsage, stderr: "wants 0 argument"},
		{line: "check", code: exitOK, stdout: "good"},
		{line: "check", env: []string{"BARRAGE_HTP_ADDR=:1"}, code: exitOK, stderr: "BARRAGE_HTP_ADDR is no setting"},
		{line: "check -config " + bad, code: exitConfig, stderr: "[2:3]"},
		{line: "serve -config " + bad, code: exitConfig, stderr: "port"},
		{line: "media", code: exitConfig, stderr: "BARRAGE_CHAT_REDIS_URL"},
		{line: "chat -set chat.redis.url=", code: exitConfig, stderr: "redis://"},
		{line: "key", code: exitUsage, stderr: "wants 1 argument"},
		{line: "key NO -state-dir " + dir, code: exitUsage, stderr: "a-z"},
		{line: "token live -state-dir " + dir, code: exitUsage, stderr: "-role"},
		{line: "token live -role host -ttl -1s -state-dir " + dir, code: exitUsage, stderr: "-ttl"},
		{line: "token -h", code: exitOK, stderr: "-role"},
	} {
		code, out, errs := execute(t, c.env, strings.Fields(c.line)...)
		if code != c.code || !strings.Contains(out, c.stdout) || !strings.Contains(errs, c.stderr) {
			t.Errorf("barrage %s = %d %q %q, want %d %q %q", c.line, code, out, errs, c.code, c.stdout, c.stderr)
		}
	}
}

func TestKeyCommand(t *testing.T) {
	dir := t.TempDir()
	first := command1(t, "key", "live", "-state-dir", dir)
	if again := command1(t, "key", "-state-dir", dir, "live"); again != first {
		t.Errorf("second key %q, want the same %q", again, first)
	}
	if rotated := command1(t, "key", "live", "-rotate", "-state-dir", dir); rotated == first || !strings.HasPrefix(rotated, "live.") {
		t.Errorf("rotated key %q, want another than %q", rotated, first)
	}
	if short := command1(t, "key", "live", "-ttl", "1h", "-state-dir", dir); short == first {
		t.Error("a key that expires equals one that does not")
	}
}
