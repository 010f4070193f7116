package modbus

import (
	"fmt"
	"net"
	"time"
)

// Types of endpoint.
const (
	TCP        = "tcp"
	RTU        = "rtu"
	RTUOverTCP = "rtu-over-tcp"
)

// Endpoint says where the devices of a bus are reached.
type Endpoint struct {
	Type    string // tcp, rtu, rtu-over-tcp
	Address string // host:port, for tcp and rtu-over-tcp
	Device  string // path, for rtu; /dev/serial/by-id/... survives a reboot

	// Baud, Parity (none, even, odd), StopBits and DataBits of the serial line.
	// Defaults: 19200, even, 1, 8. For rtu-over-tcp they are those behind the
	// converter and serve for timing only; for tcp they are not used.
	Baud     int
	Parity   string
	StopBits int
	DataBits int
	RS485    *RS485

	// Timeout is how long a device may think before it answers; the time that the
	// frames take on a serial line is added. Default 1 s.
	Timeout time.Duration
	// Quiet is how long a unit of a serial line that did not answer is left in
	// peace, unless its late answer is seen before: no answer may come later than
	// this after the time-out. Default: the longer of Timeout and 1 s.
	Quiet time.Duration
}

// RS485 asks the serial driver to steer the line's direction with RTS.
type RS485 struct {
	RTSHighDuringSend bool
	RTSHighAfterSend  bool
	ReceiveDuringSend bool
	DelayBeforeSend   time.Duration
	DelayAfterSend    time.Duration
}

// complete checks the endpoint and fills in the defaults.
func (e Endpoint) complete() (Endpoint, error) {
	switch e.Type {
	case TCP, RTUOverTCP:
		if _, _, err := net.SplitHostPort(e.Address); err != nil {
			return e, fmt.Errorf("address %q: want host:port", e.Address)
		}
		if e.Device != "" {
			return e, fmt.Errorf("device %q: a bus of type %s has an address", e.Device, e.Type)
		}
	case RTU:
		if e.Device == "" || e.Address != "" {
			return e, fmt.Errorf("a bus of type rtu has a device and no address")
		}
	default:
		return e, fmt.Errorf("type %q is none of tcp, rtu, rtu-over-tcp", e.Type)
	}
	if e.Timeout == 0 {
		e.Timeout = time.Second
	}
	if e.Timeout < time.Millisecond || e.Timeout > time.Minute {
		return e, fmt.Errorf("timeout %v is not between 1ms and 1m", e.Timeout)
	}
	if e.Quiet == 0 {
		e.Quiet = max(e.Timeout, time.Second)
	}
	if e.Quiet < 0 || e.Quiet > time.Minute {
		return e, fmt.Errorf("quiet time %v is not between 0 and 1m", e.Quiet)
	}
	if e.Type == TCP {
		return e, nil
	}
	return e.completeSerial()
}

func (e Endpoint) completeSerial() (Endpoint, error) {
	if e.Baud == 0 {
		e.Baud = 19200
	}
	if e.Parity == "" {
		e.Parity = "even"
	}
	if e.StopBits == 0 {
		e.StopBits = 1
	}
	if e.DataBits == 0 {
		e.DataBits = 8
	}
	switch {
	case e.Baud < 300 || e.Baud > 4000000:
		return e, fmt.Errorf("baud %d is not between 300 and 4000000", e.Baud)
	case e.Parity != "none" && e.Parity != "even" && e.Parity != "odd":
		return e, fmt.Errorf("parity %q is none of none, even, odd", e.Parity)
	case e.StopBits != 1 && e.StopBits != 2:
		return e, fmt.Errorf("%d stop bits: want 1 or 2", e.StopBits)
	case e.DataBits != 8:
		return e, fmt.Errorf("%d data bits: RTU frames need 8", e.DataBits)
	}
	return e, nil
}

// Serial says whether frames have serial framing.
func (e Endpoint) Serial() bool { return e.Type != TCP }

// Character is the time of one character on the serial line: a start bit, eight
// data bits, the parity bit if any, the stop bits. 0 for Modbus TCP.
func (e Endpoint) Character() time.Duration {
	if e.Type == TCP {
		return 0
	}
	e, err := e.completeSerial()
	if err != nil {
		return 0
	}
	bits := 9 + e.StopBits
	if e.Parity != "none" {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(e.Baud)
}

// Gap is the silence between two frames of a serial line: 3.5 characters, and
// 1.75 ms above 19200 baud (V1.02, 2.5.1.1). 0 for Modbus TCP.
func (e Endpoint) Gap() time.Duration {
	if e.Type == TCP {
		return 0
	}
	if e.Baud > 19200 {
		return 1750 * time.Microsecond
	}
	return 7 * e.Character() / 2
}

func (e Endpoint) String() string {
	if e.Type == RTU {
		return e.Device
	}
	return e.Address
}
