// Package slave is the server side of Modbus, as much of it as a meter has:
// reading holding and input registers (functions 3 and 4) over TCP, over a
// serial line, and over TCP with serial framing (Modbus Application Protocol
// V1.1b3, Modbus over Serial Line V1.02).
//
// What a device answers is decided by a [Handler]; the package frames, checks,
// paces and refuses. It never answers a request that it cannot read.
package slave

import "encoding/binary"

// Exception is a Modbus exception code. 0 is none.
type Exception byte

// Exceptions that meters and TCP gateways send.
const (
	IllegalFunction Exception = 1
	IllegalAddress  Exception = 2
	IllegalValue    Exception = 3
	DeviceFailure   Exception = 4
	// TargetSilent is what a TCP gateway says of a device on its line that does
	// not answer.
	TargetSilent Exception = 0x0B
	// Silence is no code of the protocol: the device does not answer at all.
	Silence Exception = 0xFF
)

// Request asks for Count registers from Address on, with function 3 (holding)
// or 4 (input). Count is 1 to 125.
type Request struct {
	Unit     byte
	Function byte
	Address  uint16
	Count    uint16
}

// Handler answers a request with exactly Count words or an exception. It is
// called from several goroutines at once.
type Handler func(Request) ([]uint16, Exception)

// maxCount is the most registers that fit in a reply (V1.1b3, 6.3).
const maxCount = 125

// answer turns a request PDU (function and data) into a reply PDU; ok is false
// for silence.
func answer(h Handler, unit byte, pdu []byte) (reply []byte, ok bool) {
	if len(pdu) == 0 {
		return nil, false
	}
	function := pdu[0]
	words, e := []uint16(nil), IllegalFunction
	if function == 3 || function == 4 {
		words, e = read(h, unit, pdu)
	} else if function >= 0x80 {
		return nil, false // a reply, not a request
	}
	switch {
	case e == Silence:
		return nil, false
	case e != 0:
		return []byte{function | 0x80, byte(e)}, true
	}
	reply = make([]byte, 2, 2+2*len(words))
	reply[0], reply[1] = function, byte(2*len(words))
	for _, w := range words {
		reply = binary.BigEndian.AppendUint16(reply, w)
	}
	return reply, true
}

func read(h Handler, unit byte, pdu []byte) ([]uint16, Exception) {
	if len(pdu) != 5 {
		return nil, IllegalValue
	}
	r := Request{Unit: unit, Function: pdu[0], Address: binary.BigEndian.Uint16(pdu[1:]), Count: binary.BigEndian.Uint16(pdu[3:])}
	switch {
	case r.Count < 1 || r.Count > maxCount:
		return nil, IllegalValue
	case int(r.Address)+int(r.Count) > 1<<16:
		return nil, IllegalAddress
	}
	words, e := h(r)
	if e == 0 && len(words) != int(r.Count) {
		return nil, DeviceFailure
	}
	return words, e
}

// checksum is the CRC-16 of serial Modbus (polynomial 0xA001, initial 0xFFFF).
func checksum(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// frame makes a serial frame: unit, PDU, checksum with its low byte first.
func frame(unit byte, pdu []byte) []byte {
	b := append([]byte{unit}, pdu...)
	return binary.LittleEndian.AppendUint16(b, checksum(b))
}

// unframe takes a serial frame apart; ok is false when it is none.
func unframe(b []byte) (unit byte, pdu []byte, ok bool) {
	if len(b) < 4 || len(b) > 256 {
		return 0, nil, false
	}
	n := len(b) - 2
	if binary.LittleEndian.Uint16(b[n:]) != checksum(b[:n]) {
		return 0, nil, false
	}
	return b[0], b[1:n], true
}
