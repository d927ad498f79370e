package progress

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLines(t *testing.T) {
	var b strings.Builder
	task := Start(&b, "s: photos", 3)
	task.Expect(1)
	task.Add(1)
	assert.Empty(t, b.String(), "nothing within the interval")
	task.begun = task.begun.Add(-20 * time.Second)
	task.shown = task.begun
	task.Add(1)
	assert.Equal(t, "s: photos: 2 of 4, 20s left\n", b.String())
	task.shown = task.begun
	task.Add(2)
	task.End()
	assert.Equal(t, 1, strings.Count(b.String(), "\n"), "the end needs no line")
}

func TestLeft(t *testing.T) {
	assert.Equal(t, 30*time.Second, Left(10*time.Second, 250, 1000))
	assert.Zero(t, Left(time.Second, 0, 10))
	assert.Equal(t, 9999*time.Hour, Left(time.Hour, 1, 10_000), "no overflow")
}
