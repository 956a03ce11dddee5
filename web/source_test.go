package web_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Text of people must never become markup. These are the ways in, and none of
// them may appear in the page's source.
func TestSourceNeverMakesMarkup(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\(|new Function|srcdoc`)
	src := os.DirFS("src")
	err := fs.WalkDir(src, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".ts") {
			return err
		}
		text, err := fs.ReadFile(src, path)
		if found := forbidden.Find(text); found != nil {
			t.Errorf("src/%s uses %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The lock file must install from whatever registry the reader uses.
func TestLockFileNamesNoRegistry(t *testing.T) {
	t.Parallel()
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) {
		t.Error("package-lock.json names registry hosts; install with the .npmrc beside it")
	}
}
