package mqtt

import (
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/stretchr/testify/require"
)

// scripted is a broker that does what a test says.
type scripted struct {
	t        *testing.T
	listener net.Listener
	code     byte // of the CONNACK
	greet    []*packets.PublishPacket
	onPub    func(s *session, p *packets.PublishPacket)
	grant    byte
	mute     bool // never answers CONNECT
	raw      []byte

	wg       sync.WaitGroup
	mu       sync.Mutex
	sessions []*session
	acked    []uint16
	ackedOne chan struct{}
	will     *packets.ConnectPacket
}

type session struct {
	conn net.Conn
	mu   sync.Mutex
}

func (s *session) write(p packets.ControlPacket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = p.Write(s.conn)
}

func (s *session) ack(id uint16) {
	a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	a.MessageID = id
	s.write(a)
}

func startScripted(t *testing.T, b *scripted) string {
	t.Helper()
	var err error
	b.t, b.grant, b.ackedOne = t, max(b.grant, 1), make(chan struct{}, 10000)
	b.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b.wg.Add(1)
	go func() {
		defer b.wg.Done()
		for {
			conn, err := b.listener.Accept()
			if err != nil {
				return
			}
			s := &session{conn: conn}
			b.mu.Lock()
			b.sessions = append(b.sessions, s)
			b.mu.Unlock()
			b.wg.Add(1)
			go b.serve(s)
		}
	}()
	t.Cleanup(func() {
		b.listener.Close()
		b.drop()
		b.wg.Wait()
	})
	return "tcp://" + b.listener.Addr().String()
}

func (b *scripted) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		s.conn.Close()
	}
}

func (b *scripted) serve(s *session) {
	defer b.wg.Done()
	defer s.conn.Close()
	for {
		packet, err := packets.ReadPacket(s.conn)
		if err != nil {
			return
		}
		switch p := packet.(type) {
		case *packets.ConnectPacket:
			if b.mute {
				continue
			}
			b.mu.Lock()
			b.will = p
			b.mu.Unlock()
			a := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
			a.ReturnCode = b.code
			s.write(a)
			for _, g := range b.greet {
				s.write(g)
			}
			if b.raw != nil {
				_, _ = s.conn.Write(b.raw)
			}
		case *packets.PublishPacket:
			if b.onPub != nil {
				b.onPub(s, p)
			} else {
				s.ack(p.MessageID)
			}
		case *packets.SubscribePacket:
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID = p.MessageID
			for range p.Topics {
				a.ReturnCodes = append(a.ReturnCodes, b.grant)
			}
			s.write(a)
		case *packets.PubackPacket:
			b.mu.Lock()
			b.acked = append(b.acked, p.MessageID)
			b.mu.Unlock()
			b.ackedOne <- struct{}{}
		case *packets.PingreqPacket:
			s.write(packets.NewControlPacket(packets.Pingresp))
		case *packets.DisconnectPacket:
			return
		}
	}
}

func publication(id uint16, topic, payload string) *packets.PublishPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.Qos, p.MessageID, p.TopicName, p.Payload = 1, id, topic, []byte(payload)
	return p
}
