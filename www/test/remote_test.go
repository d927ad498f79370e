package test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// window is what the tests for several browsers need of a page in one.
type window interface {
	testing() *testing.T
	// do runs JavaScript statements.
	do(script string)
	// evaluate runs a JavaScript expression, waits for its promise and decodes
	// the value; undefined leaves it as it is.
	evaluate(expression string, into any)
}

// remote is a window of a browser that speaks WebDriver (W3C): Firefox by its
// own protocol, WebKitGTK by HTTP.
type remote struct {
	t *testing.T
	// send carries out a command that has the name of a step of the standard.
	send      func(command string, arguments map[string]any) (json.RawMessage, error)
	downloads string // the folder that they go to; "" where the browser asks
}

func (r *remote) testing() *testing.T { return r.t }

func (r *remote) must(command string, arguments map[string]any) json.RawMessage {
	r.t.Helper()
	value, err := r.send(command, arguments)
	require.NoError(r.t, err, command)
	return value
}

// run runs statements in an async function and returns what that returns.
func (r *remote) run(body string) json.RawMessage {
	r.t.Helper()
	value := r.must("ExecuteAsyncScript", map[string]any{"args": []any{}, "sandbox": nil, "newSandbox": false, "script": `
		const done = arguments[arguments.length - 1];
		(async () => {` + body + `})().then((value) => done({ json: JSON.stringify(value) }), (error) => done({ error: String(error) }));`})
	var result struct {
		JSON  *string
		Error *string
	}
	require.NoError(r.t, json.Unmarshal(value, &result))
	if result.Error != nil {
		require.Fail(r.t, *result.Error, "%.200s", body)
	}
	if result.JSON == nil {
		return nil
	}
	return json.RawMessage(*result.JSON)
}

func (r *remote) do(script string) {
	r.t.Helper()
	r.run(script)
}

func (r *remote) evaluate(expression string, into any) {
	r.t.Helper()
	if value := r.run("return (" + expression + ")"); value != nil {
		require.NoError(r.t, json.Unmarshal(value, into))
	}
}

func (r *remote) navigate(url string) {
	r.t.Helper()
	r.must("Navigate", map[string]any{"url": url})
}

// waitFor waits until an expression, or the value of its promise, is true.
func (r *remote) waitFor(condition string) {
	r.t.Helper()
	for end := time.Now().Add(waitTimeout); ; time.Sleep(frame) {
		var holds bool
		r.evaluate("Promise.resolve("+condition+").then(Boolean)", &holds)
		if holds {
			return
		}
		if time.Now().After(end) {
			r.save("failed")
			require.Fail(r.t, "still not so after "+waitTimeout.String(), condition)
		}
	}
}

// texts returns the text of every element that a selector finds.
func (r *remote) texts(selector string) (texts []string) {
	r.t.Helper()
	r.evaluate(fmt.Sprintf("[...document.querySelectorAll(%q)].map((e) => e.textContent)", selector), &texts)
	return texts
}

// sendKeys types into an element to an element, or a file's path to an input for files.
func (r *remote) sendKeys(selector, text string) {
	r.t.Helper()
	var element map[string]string
	found := r.must("FindElement", map[string]any{"using": "css selector", "value": selector})
	require.NoError(r.t, json.Unmarshal(found, &element))
	for _, id := range element {
		r.must("ElementSendKeys", map[string]any{"id": id, "text": text})
	}
}

// choose gives files to the page and waits until each has an answer or an error.
func (r *remote) choose(files ...string) {
	r.t.Helper()
	r.sendKeys("#picker", strings.Join(files, "\n"))
	r.waitFor(`document.body.dataset.work === "idle"`)
}

// save writes a picture of the window to dist/test-output.
func (r *remote) save(name string) {
	r.t.Helper()
	var text string
	require.NoError(r.t, json.Unmarshal(r.must("TakeScreenshot", map[string]any{"full": false}), &text))
	picture, err := base64.StdEncoding.DecodeString(text)
	require.NoError(r.t, err)
	savePicture(r.t, name, picture)
}

// begin opens a session with patience for slow machines. A browser that cannot
// open a window here is as good as none.
func (r *remote) begin() {
	r.t.Helper()
	_, err := r.send("NewSession", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{}}})
	if err != nil {
		r.t.Skip("no window on this machine: ", err)
	}
	r.must("SetTimeouts", map[string]any{"script": testTimeout.Milliseconds(), "pageLoad": testTimeout.Milliseconds()})
}

// start runs a program until the test ends, and with it what it has started.
func start(t *testing.T, c *exec.Cmd) {
	t.Helper()
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		c.Wait()
	})
}

// comesTrue waits for a condition.
func comesTrue(condition func() bool) bool {
	for end := time.Now().Add(waitTimeout); time.Now().Before(end); time.Sleep(frame) {
		if condition() {
			return true
		}
	}
	return false
}

// find returns a program's path or skips the test.
func find(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("not installed: " + strings.Join(names, " or "))
	return ""
}

// newFirefox starts Firefox without a window. All that it asks of any network goes
// through the recorder.
func newFirefox(t *testing.T, proxy *recorder) *remote {
	t.Helper()
	path := find(t, "firefox-esr", "firefox")
	profile, downloads := t.TempDir(), t.TempDir()
	host, port, err := net.SplitHostPort(proxy.server.Listener.Addr().String())
	require.NoError(t, err)
	settings := map[string]any{
		"marionette.port":                               0, // any
		"network.proxy.type":                            1,
		"network.proxy.http":                            host,
		"network.proxy.http_port":                       json.Number(port),
		"network.proxy.ssl":                             host,
		"network.proxy.ssl_port":                        json.Number(port),
		"network.proxy.allow_hijacking_localhost":       true,
		"browser.download.folderList":                   2, // the one named next
		"browser.download.dir":                          downloads,
		"browser.download.useDownloadDir":               true,
		"datareporting.policy.dataSubmissionEnabled":    false,
		"app.normandy.enabled":                          false,
		"network.captive-portal-service.enabled":        false,
		"network.connectivity-service.enabled":          false,
		"browser.safebrowsing.downloads.remote.enabled": false,
	}
	var prefs strings.Builder
	for name, value := range settings {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		fmt.Fprintf(&prefs, "user_pref(%q, %s);\n", name, text)
	}
	require.NoError(t, os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs.String()), 0o600))
	c := exec.Command(path, "--headless", "--marionette", "--no-remote", "--profile", profile, "--width", "1200", "--height", "900", "about:blank")
	c.Env = append(os.Environ(), "HOME="+profile)
	start(t, c)

	var number []byte
	if !comesTrue(func() bool {
		number, _ = os.ReadFile(filepath.Join(profile, "MarionetteActivePort"))
		return len(number) > 0
	}) {
		t.Skip("Firefox does not start on this machine")
	}
	connection, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", string(bytes.TrimSpace(number))))
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(testTimeout)))
	in := bufio.NewReader(connection)
	_, err = readMarionette(in) // its greeting
	require.NoError(t, err)
	id := 0
	r := &remote{t: t, downloads: downloads, send: func(command string, arguments map[string]any) (json.RawMessage, error) {
		id++
		message, err := json.Marshal([]any{0, id, "WebDriver:" + command, arguments})
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Fprintf(connection, "%d:%s", len(message), message); err != nil {
			return nil, err
		}
		answer, err := readMarionette(in)
		if err != nil {
			return nil, err
		}
		var parts [4]json.RawMessage // 1, id, error or null, result
		if err := json.Unmarshal(answer, &parts); err != nil {
			return nil, err
		}
		if string(parts[2]) != "null" {
			return nil, errors.New(string(parts[2]))
		}
		return unwrap(parts[3])
	}}
	r.begin()
	return r
}

// readMarionette reads a message: its length, a colon, and JSON.
func readMarionette(in *bufio.Reader) ([]byte, error) {
	length, err := in.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil {
		return nil, err
	}
	message := make([]byte, n)
	_, err = io.ReadFull(in, message)
	return message, err
}

// unwrap returns the value of a result, which has nothing else in most cases.
func unwrap(result json.RawMessage) (json.RawMessage, error) {
	var wrapped struct{ Value json.RawMessage }
	if err := json.Unmarshal(result, &wrapped); err != nil || wrapped.Value == nil {
		return result, nil
	}
	return wrapped.Value, nil
}

// newWebKit starts WebKitGTK's own small browser on a screen that nobody sees.
func newWebKit(t *testing.T) *remote {
	t.Helper()
	driver, screen := find(t, "WebKitWebDriver"), find(t, "Xvfb")

	// The screen's number comes through a pipe.
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	x := exec.Command(screen, "-displayfd", "3", "-screen", "0", "1200x900x24")
	x.ExtraFiles = []*os.File{write}
	start(t, x)
	write.Close()
	number, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Skip("Xvfb does not start on this machine: ", err)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	listener.Close()
	c := exec.Command(driver, "--port="+port)
	c.Env = append(os.Environ(), "DISPLAY=:"+strings.TrimSpace(number), "HOME="+t.TempDir(), "LIBGL_ALWAYS_SOFTWARE=1")
	start(t, c)
	if !comesTrue(func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
		}
		return err == nil
	}) {
		t.Skip("WebKitWebDriver does not start on this machine")
	}

	client := &http.Client{Timeout: testTimeout}
	session := ""
	r := &remote{t: t, send: func(command string, arguments map[string]any) (json.RawMessage, error) {
		method, path := http.MethodPost, "/session/"+session
		switch command {
		case "NewSession":
			path = "/session"
		case "SetTimeouts":
			path += "/timeouts"
		case "Navigate":
			path += "/url"
		case "ExecuteAsyncScript":
			path += "/execute/async"
		case "FindElement":
			path += "/element"
		case "ElementSendKeys":
			path += "/element/" + arguments["id"].(string) + "/value"
		case "TakeScreenshot":
			method, path = http.MethodGet, path+"/screenshot"
		default:
			return nil, fmt.Errorf("unknown command %q", command)
		}
		body, err := json.Marshal(arguments)
		if err != nil {
			return nil, err
		}
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			return nil, errors.New(string(answer))
		}
		value, err := unwrap(answer)
		if err == nil && command == "NewSession" {
			var opened struct{ SessionID string }
			err = json.Unmarshal(value, &opened)
			session = opened.SessionID
		}
		return value, err
	}}
	r.begin()
	return r
}
