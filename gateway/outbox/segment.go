package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/thermie/thermie/batch"
)

const (
	recordHeader = 16
	suffix       = ".seg"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("record damaged")

type record struct {
	offset int64
	length int32 // of the sealed batch; 0 when it is damaged
}

// segment is one file of consecutive batches.
type segment struct {
	file    *os.File
	first   uint64
	records []record
	size    int64
	torn    bool // holds bytes of a failed write that could not be cut; takes no more
}

func (s *segment) number(i int) uint64 { return s.first + uint64(i) }
func (s *segment) last() uint64        { return s.first + uint64(len(s.records)) - 1 }

// appendRecord encodes one record.
func appendRecord(buf []byte, number uint64, sealed []byte) []byte {
	start := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(sealed)))
	buf = binary.BigEndian.AppendUint64(buf, number)
	sum := crc32.Update(crc32.Checksum(buf[start:], castagnoli), castagnoli, sealed)
	buf = binary.BigEndian.AppendUint32(buf, sum)
	return append(buf, sealed...)
}

// parseRecord decodes the record at the start of b, of which number is expected.
func parseRecord(b []byte, number uint64) (sealed []byte, err error) {
	if len(b) < recordHeader {
		return nil, errDamaged
	}
	length := binary.BigEndian.Uint32(b)
	if length == 0 || length > batch.MaxBytes || int64(length) > int64(len(b)-recordHeader) {
		return nil, errDamaged
	}
	sealed = b[recordHeader : recordHeader+int(length)]
	sum := crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, sealed)
	if sum != binary.BigEndian.Uint32(b[12:]) || binary.BigEndian.Uint64(b[4:]) != number {
		return nil, errDamaged
	}
	return sealed, nil
}

// scan reads the records of b, numbered from first on, as far as they are
// whole. Numbers up to safe are known to have been safe on disk: when one of
// them is damaged, those that stand behind it are looked for, and the damaged
// ones get a record of length 0. rest is how many bytes follow the last whole
// record.
func scan(b []byte, first, safe uint64) (records []record, rest int) {
	at := 0
	for at < len(b) {
		number := first + uint64(len(records))
		sealed, err := parseRecord(b[at:], number)
		if err != nil {
			skip, found := resync(b[at:], number, safe)
			if found == 0 {
				break
			}
			for ; number < found; number++ {
				records = append(records, record{offset: int64(at)})
			}
			at += skip
			continue
		}
		records = append(records, record{int64(at), int32(len(sealed))})
		at += recordHeader + len(sealed)
	}
	return records, len(b) - at
}

// resync finds the next whole record with a number above number, up to safe.
func resync(b []byte, number, safe uint64) (skip int, found uint64) {
	if number >= safe {
		return 0, 0
	}
	for skip = 1; skip+recordHeader < len(b); skip++ {
		n := binary.BigEndian.Uint64(b[skip+4:])
		if n <= number || n > safe || n-number > uint64(len(b))/recordHeader {
			continue
		}
		if _, err := parseRecord(b[skip:], n); err == nil {
			return skip, n
		}
	}
	return 0, 0
}

// end is where the last whole record ends.
func (s *segment) end() int64 {
	if len(s.records) == 0 {
		return 0
	}
	r := s.records[len(s.records)-1]
	return r.offset + recordHeader + int64(r.length)
}

func (s *segment) read(i int) ([]byte, error) {
	r := s.records[i]
	if r.length == 0 {
		return nil, errDamaged
	}
	buf := make([]byte, recordHeader+int(r.length))
	if _, err := s.file.ReadAt(buf, r.offset); err != nil {
		return nil, err
	}
	return parseRecord(buf, s.number(i))
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, suffix) }

// syncDir makes the names in the folder durable.
func (b *Outbox) syncDir() error {
	d, err := os.Open(b.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return b.disk.sync(d)
}
