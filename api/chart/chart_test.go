package chart

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct {
		m    Model
		want string
	}{
		{Time{Unit: "MWh", Series: []Line{{Name: "a", Colour: "heat", Points: []Point{{1, 2}, {2, Missing}}, Band: []Range{{1, 1.5, 2.5}, {2, Missing, Missing}}}}},
			`{"kind":"time","unit":"MWh","series":[{"name":"a","colour":"heat","points":[[1,2],[2,null]],"band":[[1,1.5,2.5],[2,null,null]]}]}`},
		{Bars{Unit: "t", Categories: []string{"T1"}, Series: []Bar{{Name: "b", Colour: "gas", Strength: 0.5, Values: []float64{Missing, 3}}}},
			`{"kind":"bars","unit":"t","categories":["T1"],"series":[{"name":"b","colour":"gas","strength":0.5,"values":[null,3]}]}`},
		{Sankey{Nodes: []Node{{"d a", "A", 0}}, Links: []Link{{"d a", "r b", 3, "3 MWh", "heat"}}},
			`{"kind":"sankey","nodes":[{"id":"d a","name":"A","depth":0}],"links":[{"source":"d a","target":"r b","weight":3,"label":"3 MWh","colour":"heat"}]}`},
		{Heatmap{Unit: "kW", Colour: "heat", Columns: []string{"x"}, Rows: []string{"y"}, Cells: []Cell{{0, 0, 4.5}, {0, 0, math.Inf(1)}}},
			`{"kind":"heatmap","unit":"kW","colour":"heat","columns":["x"],"rows":["y"],"cells":[[0,0,4.5],[0,0,null]]}`},
	} {
		b, err := JSON(c.m)
		require.NoError(t, err)
		require.JSONEq(t, c.want, string(b))
		require.True(t, json.Valid(b))
	}
}

// TestAt: days begin at midnight of Paris, in summer and in winter.
func TestAt(t *testing.T) {
	for _, at := range []time.Time{time.Date(2026, 7, 1, 22, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 23, 0, 0, 0, time.UTC)} {
		wall := time.UnixMilli(int64(At(at))).UTC()
		require.Equal(t, 0, wall.Hour())
		require.Equal(t, 2, wall.Day())
	}
}
