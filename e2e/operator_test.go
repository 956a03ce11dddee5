//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPrometheusScrapes runs a real Prometheus with the shipped rules.
func TestPrometheusScrapes(t *testing.T) {
	t.Parallel()
	deploy, err := filepath.Abs(filepath.Join(root, "deploy"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tool(t.Context(), "promtool", "check", "config", filepath.Join(deploy, "prometheus.yml")); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(deploy, "alerts.yml")
	s := serve(t)
	metrics, err := get(t.Context(), s.admin("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	checkRuleMetrics(t, rules, string(metrics))

	// The shipped jobs name hosts of the compose network; here there is one process.
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\n"+
		"scrape_configs: [{job_name: barrage-media, static_configs: [{targets: [%q]}]}]\n", rules, s.addrs.Admin)
	if err = os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start(t, nil, "prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", listen)
	eventually(t, 30*time.Second, "Prometheus has scraped and evaluated", func() error {
		return scraped(t, "http://"+listen)
	})
}

// scraped returns nil once the target is up and every rule evaluates.
func scraped(t *testing.T, base string) error {
	t.Helper()
	var up struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	body, err := get(t.Context(), base+"/api/v1/query?query=up")
	if err != nil {
		return err
	}
	if err = json.Unmarshal(body, &up); err != nil {
		return err
	}
	if len(up.Data.Result) != 1 || up.Data.Result[0].Value[1] != "1" {
		return fmt.Errorf("up is %+v", up.Data.Result)
	}
	if body, err = get(t.Context(), base+"/api/v1/rules"); err != nil {
		return err
	}
	if !strings.Contains(string(body), `"health":"ok"`) || strings.Contains(string(body), `"health":"unknown"`) {
		return errors.New("rules are not evaluated yet")
	}
	if strings.Contains(string(body), `"health":"err"`) {
		t.Fatalf("a rule does not evaluate: %s", body)
	}
	return nil
}

// checkRuleMetrics finds rules about metrics that nobody exports: they never fire.
func checkRuleMetrics(t *testing.T, rules, metrics string) {
	t.Helper()
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	exprs := regexp.MustCompile(`(?m)^\s*expr:(.*)$`).FindAllString(string(text), -1)
	names := regexp.MustCompile(`\b(?:barrage|process|go)_[a-z0-9_]+`).FindAllString(strings.Join(exprs, "\n"), -1)
	if len(names) == 0 {
		t.Fatal("found no metric in the rules")
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(metrics) {
			t.Errorf("a rule names %s, which is not exported", name)
		}
	}
}

// TestFootprint holds the promise of an idle server.
func TestFootprint(t *testing.T) {
	t.Parallel()
	const megabyte = 1e6
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if mb := float64(info.Size()) / megabyte; mb >= 30 {
		t.Errorf("the binary has %.1f MB, want under 30", mb)
	}
	s := serve(t)
	throughout(t, 3*time.Second, "an idle server stays small", func() error {
		kib, err := residentKiB(s.cmd.Process.Pid)
		if err == nil && kib >= 40<<10 {
			err = fmt.Errorf("resident: %d KiB", kib)
		}
		return err
	})
}

func residentKiB(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	match := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		return 0, errors.New("no VmRSS")
	}
	return strconv.Atoi(string(match[1]))
}

// TestPublicPortHidesAdmin: what operators see is not for viewers.
func TestPublicPortHidesAdmin(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/metrics", "/readyz", "/debug/pprof/"} {
		if _, err := get(t.Context(), s.url(path)); !errors.Is(err, errStatus) {
			t.Errorf("%s on the public port: %v, want a refusal", path, err)
		}
		if _, err := get(t.Context(), s.admin(path)); err != nil {
			t.Errorf("%s on the admin port: %v", path, err)
		}
	}
}
