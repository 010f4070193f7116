package profile

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/thermie/thermie/metering"
)

// Table is one of the two Modbus tables that hold 16-bit registers.
type Table uint8

// The tables.
const (
	Holding Table = iota // read with function 3
	Input                // read with function 4
)

// Function is the Modbus function code that reads the table.
func (t Table) Function() byte {
	if t == Input {
		return 4
	}
	return 3
}

func (t Table) String() string {
	if t == Input {
		return "input"
	}
	return "holding"
}

// Cell is the place of one register.
type Cell struct {
	Table   Table
	Address uint16
}

// Reader gives register words; ok is false for a word that was not read.
type Reader interface {
	Word(t Table, address uint16) (word uint16, ok bool)
}

// Image is a set of registers, as read from a device or to be served by one.
type Image map[Cell]uint16

// Word makes an Image a [Reader].
func (m Image) Word(t Table, address uint16) (uint16, bool) {
	w, ok := m[Cell{t, address}]
	return w, ok
}

// Put writes words from an address on. Words past address 65535 are dropped.
func (m Image) Put(t Table, address uint16, words ...uint16) {
	for i, w := range words {
		if int(address)+i <= math.MaxUint16 {
			m[Cell{t, address + uint16(i)}] = w
		}
	}
}

// Type is how a number stands in its registers.
type Type string

// The types. BCD digits stand four to a word, the most significant first.
// ASCII is for identity only.
const (
	U16   Type = "u16"
	I16   Type = "i16"
	U32   Type = "u32"
	I32   Type = "i32"
	U48   Type = "u48"
	I48   Type = "i48"
	U64   Type = "u64"
	I64   Type = "i64"
	F32   Type = "f32"
	F64   Type = "f64"
	BCD16 Type = "bcd16"
	BCD32 Type = "bcd32"
	BCD48 Type = "bcd48"
	BCD64 Type = "bcd64"
	// Sign-and-magnitude integers: the top bit is the sign.
	S16 Type = "s16"
	S32 Type = "s32"
	// Mod10k: each word holds 0 to 9999, the words are digits to the base 10000.
	Mod10k32 Type = "mod10k32"
	Mod10k48 Type = "mod10k48"
	Mod10k64 Type = "mod10k64"
	// Dec32: the top byte is a signed decimal exponent, the lower 24 bits an
	// unsigned (dec32u) or two's complement (dec32i) mantissa.
	Dec32U Type = "dec32u"
	Dec32I Type = "dec32i"
	ASCII  Type = "ascii"
)

// words is the number of registers of a type; 0 for one whose length is stated
// beside it or that is unknown.
func (t Type) words() int {
	switch t {
	case U16, I16, BCD16, S16:
		return 1
	case U32, I32, F32, BCD32, S32, Mod10k32, Dec32U, Dec32I:
		return 2
	case U48, I48, BCD48, Mod10k48:
		return 3
	case U64, I64, F64, BCD64, Mod10k64:
		return 4
	}
	return 0
}

// Order is the sequence of bytes on the wire, A being the most significant:
// "ABCD" is big-endian, "CDAB" has the low word first, "BADC" swapped bytes in
// each word, "DCBA" is little-endian; "GHEFCDAB" has the low word first in 64
// bits. Empty means big-endian.
type Order string

// Register is one number (or text) in one or more registers.
type Register struct {
	Table   Table
	Address uint16 // as on the bus, 0-based
	Type    Type
	Order   Order
	Length  int   // words of an ASCII text
	Bits    *Bits // part of an unsigned integer
}

// Bits is a bit field of an unsigned integer: Count bits from bit First up, bit
// 0 being the least significant.
type Bits struct{ First, Count int }

// Words is the number of 16-bit registers.
func (g Register) Words() int {
	if g.Type == ASCII {
		return g.Length
	}
	return g.Type.words()
}

// Span is where the register stands.
func (g Register) Span() Span { return Span{g.Table, g.Address, g.Words()} }

// Span is a run of registers that must be read in one request, since a value
// that is read in two halves may be torn.
type Span struct {
	Table   Table
	Address uint16
	Words   int
}

// Raw returns the bits of a number, its order undone; ok is false when a word
// was not read. A bit field is cut out.
func (g Register) Raw(r Reader) (bits uint64, ok bool) {
	n := g.Words()
	if n < 1 || n > 4 {
		return 0, false
	}
	for i := 0; i < n; i++ {
		if int(g.Address)+i > math.MaxUint16 {
			return 0, false
		}
		w, ok := r.Word(g.Table, g.Address+uint16(i))
		if !ok {
			return 0, false
		}
		if len(g.Order) != 2*n {
			bits = bits<<16 | uint64(w)
			continue
		}
		bits |= uint64(w>>8) << g.shift(2*i)
		bits |= uint64(w&0xff) << g.shift(2*i+1)
	}
	if g.Bits != nil {
		bits = bits >> g.Bits.First & (1<<g.Bits.Count - 1)
	}
	return bits, true
}

// shift is the place of the byte that stands at position i on the wire.
func (g Register) shift(i int) uint {
	return 8 * uint(len(g.Order)-1-int(g.Order[i]-'A'))
}

// put writes bits in the register's order; a bit field keeps its neighbours.
func (g Register) put(bits uint64, w Image) {
	n := g.Words()
	if g.Bits != nil {
		whole := g
		whole.Bits = nil
		mask := uint64(1<<g.Bits.Count-1) << g.Bits.First
		old, _ := whole.Raw(w)
		bits = old&^mask | bits<<g.Bits.First&mask
	}
	for i := 0; i < n; i++ {
		var word uint16
		if len(g.Order) != 2*n {
			word = uint16(bits >> (16 * (n - 1 - i)))
		} else {
			word = uint16(bits>>g.shift(2*i)&0xff)<<8 | uint16(bits>>g.shift(2*i+1)&0xff)
		}
		w.Put(g.Table, g.Address+uint16(i), word)
	}
}

// Text returns the characters of an ASCII register without the padding; ok is
// false when a word was not read or a byte is not printable.
func (g Register) Text(r Reader) (text string, ok bool) {
	var b strings.Builder
	for i := 0; i < g.Length; i++ {
		if int(g.Address)+i > math.MaxUint16 {
			return "", false
		}
		w, ok := r.Word(g.Table, g.Address+uint16(i))
		if !ok {
			return "", false
		}
		if g.Order == "BA" {
			w = w>>8 | w<<8
		}
		b.WriteByte(byte(w >> 8))
		b.WriteByte(byte(w))
	}
	text = strings.TrimSpace(strings.TrimRight(b.String(), "\x00"))
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return "", false
		}
	}
	return text, true
}

// putText is the inverse of Text, padded with zeros.
func (g Register) putText(text string, w Image) error {
	if len(text) > 2*g.Length {
		return fmt.Errorf("text %q is longer than %d registers", text, g.Length)
	}
	text += strings.Repeat("\x00", 2*g.Length-len(text))
	for i := 0; i < g.Length; i++ {
		word := uint16(text[2*i])<<8 | uint16(text[2*i+1])
		if g.Order == "BA" {
			word = word>>8 | word<<8
		}
		w.Put(g.Table, g.Address+uint16(i), word)
	}
	return nil
}

// number reads raw bits as the type says. The reason is empty, or says why
// there is no number: NaN, infinities and impossible digits are what meters
// send when they have nothing to say.
func (g Register) number(bits uint64) (metering.Decimal, metering.Reason) {
	none := metering.Decimal{}
	switch g.Type {
	case U16, U32, U48, U64:
		return unsigned(bits)
	case I16:
		return metering.Int(int64(int16(bits))), ""
	case I32:
		return metering.Int(int64(int32(bits))), ""
	case I48:
		return metering.Int(int64(bits<<16) >> 16), ""
	case I64:
		return metering.Int(int64(bits)), ""
	case S16, S32:
		top := uint64(1) << (16*g.Type.words() - 1)
		n := int64(bits &^ top)
		if bits&top != 0 {
			n = -n
		}
		return metering.Int(n), ""
	case F32:
		d, err := metering.Float32(math.Float32frombits(uint32(bits)))
		if err != nil {
			return none, metering.NotAvailable
		}
		return d, ""
	case F64:
		d, err := metering.Float(math.Float64frombits(bits))
		if err != nil {
			return none, metering.NotAvailable
		}
		return d, ""
	case BCD16, BCD32, BCD48, BCD64:
		return digits(bits, 4, 9, 4*g.Type.words(), 10)
	case Mod10k32, Mod10k48, Mod10k64:
		return digits(bits, 16, 9999, g.Type.words(), 10000)
	case Dec32U:
		return metering.Decimal{Coef: int64(bits & 0xffffff), Exp: int8(bits >> 24)}.Normal(), ""
	case Dec32I:
		return metering.Decimal{Coef: int64(int32(uint32(bits)<<8) >> 8), Exp: int8(bits >> 24)}.Normal(), ""
	}
	return none, metering.NotAvailable
}

func unsigned(bits uint64) (metering.Decimal, metering.Reason) {
	if bits <= math.MaxInt64 {
		return metering.Int(int64(bits)), ""
	}
	// Too wide for a coefficient unless it ends in zeros.
	d := metering.Decimal{}
	for bits > math.MaxInt64 {
		if bits%10 != 0 {
			return metering.Decimal{}, metering.OutOfBounds
		}
		bits /= 10
		d.Exp++
	}
	d.Coef = int64(bits)
	return d, ""
}

// digits reads count digits of width bits each to the given base.
func digits(bits uint64, width, most, count int, base int64) (metering.Decimal, metering.Reason) {
	var n int64
	for i := count - 1; i >= 0; i-- {
		digit := bits >> (width * i) & (1<<width - 1)
		if digit > uint64(most) {
			return metering.Decimal{}, metering.NotAvailable
		}
		n = n*base + int64(digit)
	}
	return metering.Int(n), ""
}

// bits is the inverse of number: the nearest that the type can hold.
func (g Register) bits(n *big.Rat) (uint64, error) {
	switch g.Type {
	case F32:
		f, _ := n.Float32()
		if math.IsInf(float64(f), 0) {
			return 0, fmt.Errorf("%s does not fit in %s: %w", n.FloatString(3), g.Type, metering.ErrRange)
		}
		return uint64(math.Float32bits(f)), nil
	case F64:
		f, _ := n.Float64()
		if math.IsInf(f, 0) {
			return 0, fmt.Errorf("%s does not fit in %s: %w", n.FloatString(3), g.Type, metering.ErrRange)
		}
		return math.Float64bits(f), nil
	case Dec32U, Dec32I:
		return decimal32(n, g.Type == Dec32I)
	}
	i := round(n)
	low, high := g.limits()
	if i.Cmp(low) < 0 || i.Cmp(high) > 0 {
		return 0, fmt.Errorf("%s does not fit in %s: %w", i, g.Type, metering.ErrRange)
	}
	switch g.Type {
	case S16, S32:
		m := new(big.Int).Abs(i).Uint64()
		if i.Sign() < 0 {
			m |= 1 << (16*g.Type.words() - 1)
		}
		return m, nil
	case BCD16, BCD32, BCD48, BCD64:
		return packed(i.Uint64(), 4, 10), nil
	case Mod10k32, Mod10k48, Mod10k64:
		return packed(i.Uint64(), 16, 10000), nil
	case I16, I32, I48, I64:
		mask := uint64(math.MaxUint64)
		if n := 16 * g.Type.words(); n < 64 {
			mask = 1<<n - 1
		}
		return uint64(i.Int64()) & mask, nil
	}
	return i.Uint64(), nil
}

// limits are the least and the greatest integer that the register can hold.
func (g Register) limits() (low, high *big.Int) {
	width := uint(16 * g.Type.words())
	if g.Bits != nil {
		width = uint(g.Bits.Count)
	}
	power := func(base int64, n uint) *big.Int {
		return new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(n)), nil)
	}
	one := big.NewInt(1)
	switch g.Type {
	case I16, I32, I48, I64:
		half := power(2, width-1)
		return new(big.Int).Neg(half), half.Sub(half, one)
	case S16, S32:
		high = power(2, width-1)
		high.Sub(high, one)
		return new(big.Int).Neg(high), high
	case BCD16, BCD32, BCD48, BCD64, Mod10k32, Mod10k48, Mod10k64:
		high = power(10, width/4)
		return new(big.Int), high.Sub(high, one)
	}
	high = power(2, width)
	return new(big.Int), high.Sub(high, one)
}

func packed(n uint64, width uint, base uint64) (bits uint64) {
	for place := uint(0); n > 0; place += width {
		bits |= n % base << place
		n /= base
	}
	return bits
}

// decimal32 finds the mantissa with the most digits that fits in 24 bits.
func decimal32(n *big.Rat, signed bool) (uint64, error) {
	high := int64(1<<24 - 1)
	low := int64(0)
	if signed {
		low, high = -1<<23, 1<<23-1
	} else if n.Sign() < 0 {
		return 0, fmt.Errorf("%s is negative: %w", n.FloatString(3), metering.ErrRange)
	}
	for exp := -12; exp <= 30; exp++ {
		m := round(new(big.Rat).Mul(n, pow10(-exp)))
		if !m.IsInt64() || m.Int64() < low || m.Int64() > high {
			continue
		}
		c := m.Int64()
		for c != 0 && c%10 == 0 && exp < 30 {
			c /= 10
			exp++
		}
		if c == 0 {
			exp = 0
		}
		return uint64(uint8(int8(exp)))<<24 | uint64(c)&0xffffff, nil
	}
	return 0, fmt.Errorf("%s does not fit in 24 bits and an exponent: %w", n.FloatString(3), metering.ErrRange)
}

// round is the nearest integer, half to even.
func round(n *big.Rat) *big.Int {
	two := big.NewInt(2)
	q, m := new(big.Int).DivMod(n.Num(), n.Denom(), new(big.Int)) // floor and rest >= 0
	switch m.Mul(m, two).Cmp(n.Denom()) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
	}
	return q
}

func pow10(n int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
	if n < 0 {
		p.Inv(p)
	}
	return p
}

func rat(d metering.Decimal) *big.Rat {
	return new(big.Rat).Mul(new(big.Rat).SetInt64(d.Coef), pow10(int(d.Exp)))
}

// Places is the number of decimals to which conversions without a finite
// decimal form are rounded.
const Places = 9

// decimal is the inverse of rat, exact where it can be and rounded half to even
// at [Places] decimals (fewer if the digits would not fit) where it cannot.
func decimal(n *big.Rat) (metering.Decimal, error) {
	for places := Places; places >= 0; places-- {
		i := round(new(big.Rat).Mul(n, pow10(places)))
		if i.IsInt64() {
			return metering.Decimal{Coef: i.Int64(), Exp: int8(-places)}.Normal(), nil
		}
	}
	return metering.Decimal{}, fmt.Errorf("%s: %w", n.FloatString(0), metering.ErrRange)
}
