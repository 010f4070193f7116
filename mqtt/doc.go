// Package mqtt is a pipe to an MQTT 3.1.1 broker: one connection a life.
//
// It stands on paho but takes from it only what can be trusted. A [Conn] is one
// network connection: when it is lost, everything that waits on it fails, and
// its owner dials a new one with a [Backoff]. There is no automatic reconnection
// and no message store, because a delivery that outlives its connection cannot
// be told from one that was acknowledged: paho completes the token of an
// unacknowledged message with success after it has reconnected. Whoever must
// not lose a message keeps it until [Conn.Publish] has returned nil, which it
// does only on the broker's PUBACK over this very connection.
//
// Messages that arrive are handled one after another, in the order in which the
// broker sent them, apart from paho's own goroutines, so that a handler may
// take its time and may publish. They are acknowledged by hand. Messages of a
// persistent session that the broker sends right after the sign-in wait until
// Subscribe has named their handler.
package mqtt
