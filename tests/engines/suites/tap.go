// Package tap writes what the validation programs find, in the Test Anything Protocol. Debian has no package
// of the one that they were written with; these are the functions of it that they call.
package tap

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// T counts the tests of one program.
type T struct {
	Writer io.Writer
	number *int
	todo   bool
}

func New() *T {
	return &T{Writer: os.Stdout, number: new(int)}
}

// Todo is for tests that count as passed whatever they find.
func (t *T) Todo() *T {
	return &T{Writer: t.Writer, number: t.number, todo: true}
}

// Header begins the output; a count of 0 is told at the end, by AutoPlan.
func (t *T) Header(count int) {
	fmt.Fprintln(t.Writer, "TAP version 13")
	if count > 0 {
		fmt.Fprintf(t.Writer, "1..%d\n", count)
	}
}

func (t *T) AutoPlan() {
	fmt.Fprintf(t.Writer, "1..%d\n", *t.number)
}

func (t *T) Ok(passed bool, description string) {
	*t.number++
	word, mark := "ok", "-"
	if !passed {
		word = "not ok"
	}
	if t.todo {
		mark = "# TODO"
	}
	fmt.Fprintf(t.Writer, "%s %d %s %s\n", word, *t.number, mark, strings.ReplaceAll(description, "\n", " "))
}

func (t *T) Pass(description string) {
	t.Ok(true, description)
}

func (t *T) Fail(description string) {
	t.Ok(false, description)
}

func (t *T) Skip(count int, description string) {
	for i := 0; i < count; i++ {
		*t.number++
		fmt.Fprintf(t.Writer, "ok %d # SKIP %s\n", *t.number, strings.ReplaceAll(description, "\n", " "))
	}
}

func (t *T) Diagnostic(message string) {
	fmt.Fprintf(t.Writer, "# %s\n", strings.ReplaceAll(message, "\n", "\n# "))
}

func (t *T) Diagnosticf(format string, values ...interface{}) {
	t.Diagnostic(fmt.Sprintf(format, values...))
}

// YAML adds details to the last test; JSON is YAML too.
func (t *T) YAML(details interface{}) error {
	text, err := json.MarshalIndent(details, "  ", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Writer, "  ---\n  %s\n  ...\n", text)
	return nil
}
