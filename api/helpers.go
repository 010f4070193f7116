package api

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/thermie/thermie/api/words"
)

// errNotFound is the answer to what does not exist, or must look so.
var errNotFound error = echo.ErrNotFound

func monthOf(index int) time.Month { return time.Month(index + 1) }

// plain is a figure without interval or class.
func plain(amount, unit string) words.Figure { return words.Figure{Amount: amount, Unit: unit} }

func joinOr(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}

// year writes a year without a separator.
func year(y int) string { return strconv.Itoa(y) }

// upper begins a sentence: its first letter is a capital.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
