package modbus

import (
	"errors"
	"fmt"
)

// Errors of a read, wrapped with what happened and on which device.
var (
	// ErrTimeout: the device said nothing in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrBadFrame: something came that is not the answer: wrong checksum, length,
	// unit, function or transaction.
	ErrBadFrame = errors.New("not the answer")
	// ErrWrongUnit is the ErrBadFrame of a whole answer under another unit id.
	ErrWrongUnit = fmt.Errorf("%w: another unit answers", ErrBadFrame)
	// ErrDamaged is the ErrBadFrame of an answer whose unit, function and length are
	// right and whose checksum is not.
	ErrDamaged = fmt.Errorf("%w: damaged on its way", ErrBadFrame)
	// ErrTwoAnswers is the ErrBadFrame of two whole answers to one question that do
	// not say the same, or that no converter can have repeated.
	ErrTwoAnswers = fmt.Errorf("%w: two answers to one question", ErrBadFrame)
	// ErrUnreachable: the connection or the serial port could not be opened, or broke.
	ErrUnreachable = errors.New("unreachable")
)

// Exception is a device's refusal (V1.1b3, chapter 7).
type Exception struct {
	Unit     byte
	Function byte
	Code     byte
}

// Codes of exceptions that a master decides by.
const (
	IllegalFunction = 1
	IllegalAddress  = 2
	IllegalValue    = 3
	DeviceFailure   = 4
	Acknowledge     = 5
	Busy            = 6
	PathUnavailable = 10 // said by a TCP gateway
	TargetSilent    = 11 // said by a TCP gateway for a device on its line
)

func (e *Exception) Error() string {
	return fmt.Sprintf("unit %d refuses function %d: %s", e.Unit, e.Function, e.word())
}

func (e *Exception) word() string {
	switch e.Code {
	case IllegalFunction:
		return "illegal function"
	case IllegalAddress:
		return "illegal data address"
	case IllegalValue:
		return "illegal data value"
	case DeviceFailure:
		return "device failure"
	case Acknowledge:
		return "acknowledged, still working"
	case Busy:
		return "device busy"
	case PathUnavailable:
		return "gateway path unavailable"
	case TargetSilent:
		return "the device behind the gateway does not respond"
	}
	return fmt.Sprintf("exception %d", e.Code)
}

// Silent says that a TCP gateway answered in place of a device that does not.
func (e *Exception) Silent() bool { return e.Code == PathUnavailable || e.Code == TargetSilent }

// Map says that the device does not have the registers asked for, in this cut.
func (e *Exception) Map() bool { return e.Code == IllegalAddress || e.Code == IllegalValue }
