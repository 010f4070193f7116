package slave

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// maxConnections is how many masters a device serves at once. Meters have 1 to
// 8; a TCP gateway some more.
const maxConnections = 16

// TCP is a Modbus TCP server.
type TCP struct {
	listener net.Listener
	handler  Handler

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
	wait   sync.WaitGroup
}

// ListenTCP serves Modbus TCP on an address such as "127.0.0.1:5020"; port 0
// takes a free one, see Addr.
func ListenTCP(address string, h Handler) (*TCP, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("modbus server on %s: %w", address, err)
	}
	s := &TCP{listener: l, handler: h, open: map[net.Conn]bool{}}
	s.wait.Add(1)
	go s.accept(s.serve)
	return s, nil
}

// Addr is the address that the server listens on.
func (s *TCP) Addr() string { return s.listener.Addr().String() }

// Close stops the server and its connections and waits for them.
func (s *TCP) Close() error {
	s.mu.Lock()
	s.closed = true
	err := s.listener.Close()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *TCP) accept(serve func(net.Conn)) {
	defer s.wait.Done()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		if !s.keep(c) {
			c.Close()
			continue
		}
		go func() {
			defer s.drop(c)
			serve(c)
		}()
	}
}

func (s *TCP) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= maxConnections {
		return false
	}
	s.open[c] = true
	s.wait.Add(1)
	return true
}

func (s *TCP) drop(c net.Conn) {
	c.Close()
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	s.wait.Done()
}

// serve answers one connection until it ends or sends what is no Modbus.
func (s *TCP) serve(c net.Conn) {
	var b [260]byte
	for {
		if _, err := io.ReadFull(c, b[:7]); err != nil {
			return
		}
		length := int(binary.BigEndian.Uint16(b[4:]))
		if binary.BigEndian.Uint16(b[2:]) != 0 || length < 2 || length > 254 {
			return
		}
		if _, err := io.ReadFull(c, b[7:6+length]); err != nil {
			return
		}
		pdu, ok := answer(s.handler, b[6], b[7:6+length])
		if !ok {
			continue
		}
		reply := make([]byte, 7, 7+len(pdu))
		copy(reply, b[:4]) // transaction and protocol
		binary.BigEndian.PutUint16(reply[4:], uint16(1+len(pdu)))
		reply[6] = b[6]
		if _, err := c.Write(append(reply, pdu...)); err != nil {
			return
		}
	}
}
