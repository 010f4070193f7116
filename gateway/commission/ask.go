package commission

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrStopped says that the walk ended before the signature: nothing is written.
var ErrStopped = errors.New("stopped before the signature: no record is written")

// console asks and is answered in lines.
type console struct {
	in   *bufio.Scanner
	out  io.Writer
	text map[string]string
}

func newConsole(in io.Reader, out io.Writer, language string) *console {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 4096), 64<<10)
	return &console{in: s, out: out, text: words[language]}
}

func (c *console) say(key string, args ...any) {
	fmt.Fprintf(c.out, c.text[key], args...)
}

// ask returns a line without what surrounds it; the end of the input is ErrStopped.
func (c *console) ask(key string, args ...any) (string, error) {
	c.say(key, args...)
	if !c.in.Scan() {
		if err := c.in.Err(); err != nil {
			return "", err
		}
		return "", ErrStopped
	}
	return strings.TrimSpace(c.in.Text()), nil
}

// askOr takes an empty line for the default.
func (c *console) askOr(fallback, key string, args ...any) (string, error) {
	a, err := c.ask(key, args...)
	if a == "" {
		a = fallback
	}
	return a, err
}
