package modbus

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
)

// A driver that cannot steer the direction of an RS-485 line says so, and what to do.
func TestDriverWithoutDirection(t *testing.T) {
	l, err := New(Endpoint{Type: RTU, Device: (&nasty{serial: true, fault: well}).terminal(t), RS485: &RS485{RTSHighDuringSend: true}})
	require.NoError(t, err)
	defer l.Close()
	_, err = l.Read(context.Background(), 1, profile.Holding, 0, 1)
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, "does not steer the line's direction: leave rs485 out")
}
