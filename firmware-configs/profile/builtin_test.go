package profile

import "testing"

func TestBuiltinVectors(t *testing.T) {
	l, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.All() {
		for _, f := range Test(p) {
			t.Error(f)
		}
	}
}
