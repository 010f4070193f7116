package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/metering"
)

// checker judges a configuration and finds the lines to blame.
type checker struct {
	file  string
	root  yaml.Node
	draft bool // buses and meters may be missing
}

// bad is an error about the key at a path of mapping keys and list indices. The
// line is that of the deepest part of the path that is in the file.
func (k *checker) bad(err error, path ...any) error {
	node, line, name := &k.root, 0, ""
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	for _, p := range path {
		var next *yaml.Node
		switch p := p.(type) {
		case string:
			if name != "" {
				name += "."
			}
			name += p
			if node != nil && node.Kind == yaml.MappingNode {
				for i := 0; i+1 < len(node.Content); i += 2 {
					if node.Content[i].Value == p {
						next, line = node.Content[i+1], node.Content[i].Line
					}
				}
			}
		case int:
			name += fmt.Sprintf("[%d]", p+1)
			if node != nil && node.Kind == yaml.SequenceNode && p < len(node.Content) {
				next = node.Content[p]
				line = next.Line
			}
		}
		node = next
	}
	where := k.file
	if line > 0 {
		where += ":" + strconv.Itoa(line)
	}
	return fmt.Errorf("%s: %s: %w", where, name, err)
}

var (
	lineError    = regexp.MustCompile(`line (\d+): (.*)`)
	unknownField = regexp.MustCompile(`^field (\S+) not found in type gateway\.(\w+)$`)
	wrongType    = regexp.MustCompile("^cannot unmarshal \\S+(?: `(.*)`)? into (\\S+)$")
	twice        = regexp.MustCompile(`^mapping key "(.*)" already defined at line (\d+)$`)
)

// syntax puts an error of the YAML reader into our words.
func (k *checker) syntax(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if t := (*yaml.TypeError)(nil); errors.As(err, &t) {
		text = t.Errors[0]
	}
	m := lineError.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s: %s", k.file, text)
	}
	line, _ := strconv.Atoi(m[1])
	text = m[2]
	if f := unknownField.FindStringSubmatch(text); f != nil {
		text = fmt.Sprintf("unknown key %q%s", f[1], within(f[2]))
	} else if f := wrongType.FindStringSubmatch(text); f != nil {
		text = fmt.Sprintf("%q is not %s", f[1], kindWord(f[2]))
		if key := keyAt(&k.root, line); key != "" {
			text = key + ": " + text
		}
	} else if f := twice.FindStringSubmatch(text); f != nil {
		text = fmt.Sprintf("key %q is there twice, also in line %s", f[1], f[2])
	}
	return fmt.Errorf("%s:%d: %s", k.file, line, text)
}

func within(goType string) string {
	words := map[string]string{"Broker": "broker", "Bus": "a bus", "RS485": "rs485", "Meter": "a meter", "Quantity": "a quantity", "Pulse": "pulse", "Spool": "spool", "Remote": "remote", "Page": "page", "Mirror": "mirror", "Log": "log"}
	if w := words[goType]; w != "" {
		return " in " + w
	}
	return ""
}

func kindWord(goType string) string {
	switch {
	case goType == "time.Duration":
		return "a duration like 10s or 1m30s"
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.Contains(goType, "gateway."):
		return "a group of keys"
	}
	return "text"
}

// keyAt is the key whose content stands on a line.
func keyAt(n *yaml.Node, line int) (key string) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && c.Line == line && (c.Kind == yaml.ScalarNode || key == "") {
			key = n.Content[i-1].Value
		}
		if inner := keyAt(c, line); inner != "" {
			key = inner
		}
	}
	return key
}

// config judges the whole file.
func (k *checker) config(c *Config) error {
	if err := metering.CheckID(c.Gateway); err != nil {
		return k.bad(err, "gateway")
	}
	if err := metering.CheckID(c.Territory); err != nil {
		return k.bad(err, "territory")
	}
	origins := []batch.Origin{batch.Measured, batch.Synthetic, batch.Replayed}
	if !slices.Contains(origins, c.Origin) {
		return k.bad(fmt.Errorf("%q is none of %v", c.Origin, origins), "origin")
	}
	if c.Data == "" {
		return k.bad(errors.New("names no folder"), "data")
	}
	if c.BatchInterval < time.Second || c.BatchInterval > time.Hour {
		return k.bad(fmt.Errorf("%v is not between 1s and 1h", c.BatchInterval), "batch_interval")
	}
	if (24*time.Hour)%c.BatchInterval != 0 {
		return k.bad(fmt.Errorf("a day is no multiple of %v", c.BatchInterval), "batch_interval")
	}
	if err := k.broker(&c.Broker, false, "broker"); err != nil {
		return err
	}
	if err := k.mirror(c.Mirror); err != nil {
		return err
	}
	if _, err := c.ingestKey(); err != nil {
		return k.bad(err, "ingest_key")
	}
	if _, err := c.RemoteKey(); err != nil {
		return k.bad(err, "remote", "key")
	}
	if c.Spool.MaxBytes < 1<<20 {
		return k.bad(fmt.Errorf("%d is less than 1048576 (1 MiB)", c.Spool.MaxBytes), "spool", "max_bytes")
	}
	if w := c.Spool.WhenFull; w != "refuse" && w != "drop_oldest" {
		return k.bad(fmt.Errorf("%q is neither refuse nor drop_oldest", w), "spool", "when_full")
	}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil || port == "" {
			return k.bad(fmt.Errorf("%q is not host:port", c.Listen), "listen")
		}
		if !loopback(host) && c.Page.PasswordFile == "" {
			return k.bad(fmt.Errorf("%s is not loopback, so the page needs a password: page.password_file", c.Listen), "listen")
		}
	}
	if err := k.secret(c.Page.PasswordFile, "page", "password_file"); err != nil {
		return err
	}
	if l := c.Log.Level; !slices.Contains([]string{"debug", "info", "warn", "error"}, l) {
		return k.bad(fmt.Errorf("%q is not debug, info, warn or error", l), "log", "level")
	}
	if f := c.Log.Format; f != "text" && f != "json" {
		return k.bad(fmt.Errorf("%q is neither text nor json", f), "log", "format")
	}
	return k.buses(c)
}

// mirror judges a mirror, and fills in its default.
func (k *checker) mirror(m *Mirror) error {
	if m == nil {
		return nil
	}
	if err := k.broker(&m.Broker, m.Clear, "mirror", "broker"); err != nil {
		return err
	}
	if m.Topic == "" {
		m.Topic = "thermie"
	}
	for _, p := range []struct{ key, topic string }{{"topic", m.Topic}, {"homeassistant", m.HomeAssistant}} {
		if strings.ContainsAny(p.topic, "+#\x00") || strings.HasPrefix(p.topic, "/") || strings.HasSuffix(p.topic, "/") || len(p.topic) > 200 {
			return k.bad(fmt.Errorf("%q is not the beginning of a topic", p.topic), "mirror", p.key)
		}
	}
	return nil
}

// broker judges a broker at a place in the file; one without TLS must be on this
// machine, unless clear says that it need not.
func (k *checker) broker(b *Broker, clear bool, place ...any) error {
	at := func(key ...any) []any { return append(slices.Clone(place), key...) }
	u, err := url.Parse(b.URL)
	if err != nil || u.Hostname() == "" || u.Port() == "" || (u.Scheme != "tcp" && u.Scheme != "tls") || u.Path != "" {
		return k.bad(fmt.Errorf("%q is not the address of a broker: tls://host:8883, or tcp://127.0.0.1:1883 on this machine", b.URL), at("url")...)
	}
	if u.User != nil {
		return k.bad(errors.New("has a name or password in it: use username and password_file"), at("url")...)
	}
	if u.Scheme == "tcp" && !clear && !loopback(u.Hostname()) {
		return k.bad(fmt.Errorf("%s is not loopback, so readings and passwords would travel in clear: use tls://", b.URL), at("url")...)
	}
	if (b.CertFile == "") != (b.KeyFile == "") {
		return k.bad(errors.New("cert_file and key_file go together"), at()...)
	}
	if b.PasswordFile != "" && b.Username == "" {
		return k.bad(errors.New("a password without a username"), at("password_file")...)
	}
	for _, f := range []struct{ key, path string }{
		{"password_file", b.PasswordFile}, {"ca_file", b.CAFile}, {"cert_file", b.CertFile}, {"key_file", b.KeyFile},
	} {
		if f.path == "" {
			continue
		}
		if f.key == "password_file" || f.key == "key_file" {
			if err := k.secret(f.path, at(f.key)...); err != nil {
				return err
			}
		} else if _, err := os.Stat(f.path); err != nil {
			return k.bad(err, at(f.key)...)
		}
	}
	return nil
}

// secret wants a file that not everybody may read; "" is none.
func (k *checker) secret(path string, key ...any) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return k.bad(err, key...)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return k.bad(fmt.Errorf("everybody may read %s (mode %04o): chmod 600 it", path, info.Mode().Perm()), key...)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// buses judges the buses and makes them ready for polling.
func (k *checker) buses(c *Config) error {
	if len(c.Buses) == 0 && !k.draft {
		return k.bad(errors.New("there are none"), "buses")
	}
	library, err := c.Library()
	if err != nil {
		return k.bad(err, "profiles")
	}
	buses, wires, meters := map[string]bool{}, map[string]string{}, map[string]string{}
	for i := range c.Buses {
		b := &c.Buses[i]
		at := func(key ...any) []any { return append([]any{"buses", i}, key...) }
		if err := metering.CheckID(b.ID); err != nil {
			return k.bad(err, at("id")...)
		}
		if buses[b.ID] {
			return k.bad(fmt.Errorf("bus %s is there twice", b.ID), at("id")...)
		}
		buses[b.ID] = true
		endpoint, key, err := b.endpoint()
		if err != nil {
			return k.bad(fmt.Errorf("bus %s: %w", b.ID, err), at(key)...)
		}
		if other, taken := wires[endpoint.String()]; taken {
			return k.bad(fmt.Errorf("bus %s: %s is bus %s already; two masters disturb each other: put the meters on one bus", b.ID, endpoint, other), at(key)...)
		}
		wires[endpoint.String()] = b.ID
		bus := poll.Bus{ID: b.ID, Endpoint: endpoint, InFlight: b.InFlight}
		if err := bus.CheckInFlight(); err != nil {
			return k.bad(fmt.Errorf("bus %s: %w", b.ID, err), at("in_flight")...)
		}
		if len(b.Meters) == 0 && k.draft {
			continue
		}
		if len(b.Meters) == 0 {
			return k.bad(fmt.Errorf("bus %s has no meters", b.ID), at("meters")...)
		}
		for j := range b.Meters {
			m, key, err := k.meter(&b.Meters[j], bus, library)
			if err == nil && meters[m.ID] != "" {
				key, err = "id", fmt.Errorf("meter %s is there twice, also on bus %s", m.ID, meters[m.ID])
			}
			if err == nil {
				meters[m.ID] = b.ID
				bus.Meters = append(bus.Meters, m)
				c.means = append(c.means, b.Meters[j].means()...)
				_, err = poll.New(bus, poll.Options{}) // its duplicates
				key = "unit"
			}
			if err != nil {
				return k.bad(err, at("meters", j, key)...)
			}
		}
		c.buses = append(c.buses, bus)
	}
	return nil
}

// endpoint is the bus's for modbus; key is to blame for the error, or names the
// endpoint.
func (b *Bus) endpoint() (e modbus.Endpoint, key string, err error) {
	e = modbus.Endpoint{Type: b.Type, Address: b.Address, Device: b.Device, Baud: b.Baud, Parity: b.Parity, StopBits: b.StopBits, Timeout: b.Timeout, Quiet: b.Quiet}
	if r := b.RS485; r != nil {
		e.RS485 = &modbus.RS485{RTSHighDuringSend: r.RTSHighDuringSend, RTSHighAfterSend: r.RTSHighAfterSend,
			ReceiveDuringSend: r.ReceiveDuringSend, DelayBeforeSend: r.DelayBeforeSend, DelayAfterSend: r.DelayAfterSend}
	}
	switch b.Type {
	case modbus.TCP, modbus.RTUOverTCP:
		if b.Device != "" {
			return e, "device", fmt.Errorf("type %s has an address, no device", b.Type)
		}
		if host, port, err := net.SplitHostPort(b.Address); err != nil || host == "" || port == "" {
			return e, "address", fmt.Errorf("%q is not host:port", b.Address)
		}
		key = "address"
	case modbus.RTU:
		if b.Address != "" {
			return e, "address", errors.New("type rtu has a device, no address")
		}
		if !strings.HasPrefix(b.Device, "/") {
			return e, "device", fmt.Errorf("%q is not the path of a serial port like /dev/ttyUSB0", b.Device)
		}
		key = "device"
	default:
		return e, "type", fmt.Errorf("%q is none of tcp, rtu, rtu-over-tcp", b.Type)
	}
	if b.RS485 != nil && b.Type != modbus.RTU {
		return e, "rs485", fmt.Errorf("type %s has no RTS line", b.Type)
	}
	if b.Timeout < 0 || b.Timeout > time.Minute {
		return e, "timeout", fmt.Errorf("%v is not between 0 and 1m", b.Timeout)
	}
	line, err := modbus.New(e)
	if err != nil {
		return e, key, err
	}
	return line.Endpoint(), key, nil
}
