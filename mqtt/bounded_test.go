package mqtt

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/stretchr/testify/require"
)

// recorder is a connection that keeps what is written to it.
type recorder struct {
	net.Conn
	mu     sync.Mutex
	writes [][]byte
	wrote  chan struct{}
	fail   error
	closed bool
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, bytes.Clone(p))
	r.wrote <- struct{}{}
	return len(p), r.fail
}

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

func puback(id uint16) []byte {
	var b bytes.Buffer
	p := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	p.MessageID = id
	if err := p.Write(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Acknowledgements wait for a moment, for each other or for whatever else is
// written; nothing is lost or changes places.
func TestAcknowledgementsShareWrites(t *testing.T) {
	r := &recorder{wrote: make(chan struct{}, 1000)}
	b := newBounded(t.Context(), r)
	var all []byte
	write := func(p []byte) {
		n, err := b.Write(p)
		require.NoError(t, err)
		require.Equal(t, len(p), n)
		all = append(all, p...)
	}
	for i := range 600 { // more than are held at once
		write(puback(uint16(i)))
	}
	write([]byte("something else"))
	write(puback(7)) // goes by itself, in a moment
	written := func() []byte {
		r.mu.Lock()
		defer r.mu.Unlock()
		return bytes.Join(r.writes, nil)
	}
	for !bytes.Equal(all, written()) {
		<-r.wrote
	}
	require.Less(t, len(r.writes), 100)

	r.mu.Lock()
	r.fail = errors.New("connection reset")
	r.mu.Unlock()
	write(puback(8))
	<-r.wrote
	b.writing.Lock() // held until the flush is over
	defer b.writing.Unlock()
	require.True(t, r.closed, "a connection that does not take acknowledgements is closed")
}
