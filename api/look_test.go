package api

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
)

var look = flag.String("look", "", "serve the fixture's pages on this address until interrupted: go test ./api -run Look -look 127.0.0.1:8089")

// TestLook answers the front page; with -look it serves the fixture to be looked
// at, and says whom to sign in as.
func TestLook(t *testing.T) {
	w := fixture(t)
	s := w.server(t, sealed(t))
	require.Equal(t, 303, visitorOf(t, s).get("/").StatusCode)
	if *look == "" {
		return
	}
	l, err := net.Listen("tcp", *look)
	require.NoError(t, err)
	fmt.Printf("http://%s/ password: %s\n", l.Addr(), password)
	for _, r := range access.Roles {
		fmt.Println(" ", w.people[r].Email)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	require.NoError(t, s.Serve(ctx, l))
}
