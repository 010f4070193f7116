package batch

import (
	"fmt"
	"strings"

	"github.com/thermie/thermie/metering"
)

// Leaf is the last level of a topic.
type Leaf string

// The leaves of a gateway's branch.
const (
	TopicBatch   Leaf = "batch"   // sealed batches, QoS 1, gateway to ingest
	TopicReceipt Leaf = "receipt" // signed receipts, ingest to gateway
	TopicStatus  Leaf = "status"  // JSON Status, retained, also the last will
	TopicConfig  Leaf = "config"  // desired configuration, retained, signed
	TopicReport  Leaf = "report"  // what the gateway runs
)

// Topic returns "thermie/v1/<territory>/<gateway>/<leaf>"; gateway may be "+".
func Topic(territory, gateway string, leaf Leaf) string {
	return "thermie/v1/" + territory + "/" + gateway + "/" + string(leaf)
}

// ParseTopic takes a topic apart.
func ParseTopic(topic string) (territory, gateway string, leaf Leaf, err error) {
	p := strings.Split(topic, "/")
	if len(p) != 5 || p[0] != "thermie" || p[1] != "v1" || metering.CheckID(p[2]) != nil || metering.CheckID(p[3]) != nil {
		return "", "", "", fmt.Errorf("topic %q: want thermie/v1/<territory>/<gateway>/<leaf>", topic)
	}
	return p[2], p[3], Leaf(p[4]), nil
}
