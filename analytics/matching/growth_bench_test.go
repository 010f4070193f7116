package matching

import "testing"

// How heat pumps and tanks grow: one day, pairs up to 3 km, a pump on each, three
// tanks.
func BenchmarkStoredDay12x12(b *testing.B) { benchmarkStoredDay(b, 12) }
func BenchmarkStoredDay25x25(b *testing.B) { benchmarkStoredDay(b, 25) }
func BenchmarkStoredDay50x50(b *testing.B) { benchmarkStoredDay(b, 50) }

func benchmarkStoredDay(b *testing.B, n int) {
	p, tanks := equipped(year(n, n, 1, 1, 3), 3)
	benchmarkStored(b, p, tanks)
}
