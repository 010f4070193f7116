// Package broker runs an MQTT 3.1.1 broker inside the process, for the demo,
// for tests and for a programme that fits on one machine: NATS with its MQTT
// side on JetStream.
//
// Messages of QoS 1 that wait for a persistent session are kept on disk and
// outlive a restart. They are written at once but forced to the disk only now
// and then: a gateway keeps each batch until the ledger's signed receipt has
// come back, so a power cut costs time and no data.
//
// Each user may publish and subscribe only to the topics named. The broker
// listens on loopback unless told otherwise and refuses to listen anywhere else
// without TLS. It refuses client identifiers with a dot in them. Client identifiers are not tied to users: a programme whose
// gateways are not all trusted with one another's sessions runs Mosquitto with
// use_username_as_clientid (deploy/ shows how).
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Options of a broker.
type Options struct {
	Dir    string // where messages wait for their receivers
	Listen string // host:port; "" is 127.0.0.1:1883, port 0 any free one
	Users  []User // at least one
	// TLS, when set, is the server's side; its ClientAuth asks for client
	// certificates.
	TLS *tls.Config
	// MaxBytes bounds what waits on disk; 0 means 4 GiB. Beyond it the broker
	// no longer acknowledges, and gateways keep their batches.
	MaxBytes int64
	// MaxInflight bounds the messages sent to a subscription and not yet
	// acknowledged; 0 means 2048.
	MaxInflight int
	// RedeliverAfter is how long a subscriber may take to acknowledge a message
	// before it gets it again; 0 means 30 s.
	RedeliverAfter time.Duration
	Log            *slog.Logger
}

// User may sign in with a password and use topics. Patterns are MQTT filters:
// "thermie/v1/port/gw-1/batch", "thermie/v1/port/+/receipt", "thermie/#".
type User struct {
	Name, Password     string
	Publish, Subscribe []string
}

// Server is a running broker.
type Server struct {
	server *server.Server
	url    string
}

// maxPacket bounds an MQTT packet: a sealed batch has up to 60,000 bytes, a
// status up to 256 KiB.
const maxPacket = 300 << 10

// Start starts a broker and returns when it accepts connections.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:1883"
	}
	conf, err := natsOptions(o)
	if err != nil {
		return nil, fmt.Errorf("start broker on %s: %w", o.Listen, err)
	}
	s, err := start(ctx, conf, o.Log)
	if err != nil {
		return nil, fmt.Errorf("start broker on %s: %w", o.Listen, err)
	}
	scheme := "tcp"
	if o.TLS != nil {
		scheme = "tls"
	}
	// NATS wrote the port that it got into its options.
	s.url = scheme + "://" + net.JoinHostPort(conf.MQTT.Host, strconv.Itoa(conf.MQTT.Port))
	return s, nil
}

func natsOptions(o Options) (*server.Options, error) {
	host, portText, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: want a number", portText)
	}
	if ip := net.ParseIP(host); o.TLS == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("passwords and readings would travel in clear: set TLS or listen on 127.0.0.1")
	}
	if o.Dir == "" {
		return nil, errors.New("no folder for messages that wait")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	users, err := natsUsers(o.Users)
	if err != nil {
		return nil, err
	}
	// NATS reports a port in use only in its log: ask the system first.
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	l.Close()
	conf := &server.Options{
		ServerName: "thermie", DontListen: true, NoSigs: true, NoSystemAccount: true,
		JetStream: true, StoreDir: o.Dir, DisableJetStreamBanner: true,
		JetStreamMaxStore: o.MaxBytes, JetStreamMaxMemory: 64 << 20,
		MaxPayload: maxPacket, Users: users,
	}
	if conf.JetStreamMaxStore <= 0 {
		conf.JetStreamMaxStore = 4 << 30
	}
	conf.MQTT = server.MQTTOpts{
		Host: host, Port: int(port), AckWait: o.RedeliverAfter,
		MaxAckPending: uint16(min(max(o.MaxInflight, 0), 65535)), TLSConfig: o.TLS, TLSTimeout: 10,
	}
	if port == 0 {
		conf.MQTT.Port = -1
	}
	if conf.MQTT.MaxAckPending == 0 {
		conf.MQTT.MaxAckPending = 2048
	}
	return conf, nil
}

func natsUsers(users []User) ([]*server.User, error) {
	if len(users) == 0 {
		return nil, errors.New("no users: nobody could sign in")
	}
	seen := make(map[string]bool)
	out := make([]*server.User, len(users))
	for i, u := range users {
		if u.Name == "" || u.Password == "" {
			return nil, fmt.Errorf("user %q: want a name and a password", u.Name)
		}
		if seen[u.Name] {
			return nil, fmt.Errorf("user %q is there twice", u.Name)
		}
		seen[u.Name] = true
		publish, err := permission(u.Publish)
		if err != nil {
			return nil, fmt.Errorf("user %q: publish: %w", u.Name, err)
		}
		subscribe, err := permission(u.Subscribe)
		if err != nil {
			return nil, fmt.Errorf("user %q: subscribe: %w", u.Name, err)
		}
		out[i] = &server.User{
			Username: u.Name, Password: u.Password,
			Permissions:            &server.Permissions{Publish: publish, Subscribe: subscribe},
			AllowedConnectionTypes: map[string]struct{}{"MQTT": {}},
		}
	}
	return out, nil
}

// permission turns MQTT filters into NATS subjects; none at all allows nothing.
func permission(filters []string) (*server.SubjectPermission, error) {
	if len(filters) == 0 {
		return &server.SubjectPermission{Deny: []string{">"}}, nil
	}
	p := &server.SubjectPermission{}
	for _, f := range filters {
		s, err := subject(f)
		if err != nil {
			return nil, err
		}
		p.Allow = append(p.Allow, s)
		if parent, ok := strings.CutSuffix(s, ".>"); ok {
			p.Allow = append(p.Allow, parent) // "a/#" is "a" too (MQTT 3.1.1, 4.7.1.2)
		}
	}
	return p, nil
}

// subject spells an MQTT filter as NATS does: levels are divided by '.', a dot
// inside a level is "//". Empty levels, which Thermie never has, are refused.
func subject(filter string) (string, error) {
	levels := strings.Split(filter, "/")
	for i, l := range levels {
		switch {
		case l == "" || strings.HasPrefix(l, "$"):
			return "", fmt.Errorf("topic %q: empty level or '$'", filter)
		case l == "+":
			levels[i] = "*"
		case l == "#" && i == len(levels)-1:
			levels[i] = ">"
		case strings.ContainsAny(l, "+#*> \t\r\n\f\x00\x7f"):
			return "", fmt.Errorf("topic %q: level %q", filter, l)
		default:
			levels[i] = strings.ReplaceAll(l, ".", "//")
		}
	}
	return strings.Join(levels, "."), nil
}

func start(ctx context.Context, conf *server.Options, log *slog.Logger) (*Server, error) {
	s, err := server.NewServer(conf)
	if err != nil {
		return nil, err
	}
	l := &logger{log: log, fatal: make(chan string, 1)}
	s.SetLogger(l, false, false)
	go s.Start()
	ready := make(chan bool, 1)
	go func() { ready <- s.ReadyForConnections(20 * time.Second) }()
	stop := func(err error) (*Server, error) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	select {
	case ok := <-ready:
		if !ok {
			return stop(errors.New("not ready within 20 s"))
		}
	case text := <-l.fatal:
		return stop(errors.New(text))
	case <-ctx.Done():
		return stop(ctx.Err())
	}
	return &Server{server: s}, nil
}

// URL is where clients connect: tcp://host:port or tls://host:port.
func (s *Server) URL() string { return s.url }

// Close stops the broker. What waits for persistent sessions stays on disk.
func (s *Server) Close() error {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}

// logger passes the server's words on: what it notes is for debugging here.
type logger struct {
	log   *slog.Logger
	fatal chan string
}

func (l *logger) Noticef(format string, v ...any) {
	l.log.Debug("broker: " + fmt.Sprintf(format, v...))
}
func (l *logger) Debugf(format string, v ...any) { l.log.Debug("broker: " + fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any) {}

func (l *logger) Warnf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, "Plaintext passwords") {
		return // they are in this process's memory only
	}
	l.log.Warn("broker: " + text)
}

func (l *logger) Errorf(format string, v ...any) { l.log.Error("broker: " + fmt.Sprintf(format, v...)) }

// Fatalf only reports: whoever started the broker decides what to end.
func (l *logger) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error("broker: " + text)
	select {
	case l.fatal <- text:
	default:
	}
}
