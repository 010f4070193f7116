package proof_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/report/trial"
)

func zipOf(t testing.TB, entries ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		if n, bomb := entries[i+1].(zeros); bomb {
			n.add(t, z, entries[i].(string))
			continue
		}
		w, err := z.Create(entries[i].(string))
		require.NoError(t, err)
		_, err = io.Copy(w, entries[i+1].(io.Reader))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func readZip(b []byte) (proof.Files, error) { return proof.ReadZip(bytes.NewReader(b), int64(len(b))) }

func readDossier(b []byte) (*proof.Dossier, error) {
	return proof.ReadDossier(bytes.NewReader(b), int64(len(b)))
}

// zeros is a file of n MiB of zero bytes, a thousand times smaller in the zip.
type zeros int

// add writes the file; the compressed form of one MiB serves for all of them.
func (n zeros) add(t testing.TB, z *zip.Writer, name string) {
	var once, end bytes.Buffer
	c, err := flate.NewWriter(&once, flate.BestSpeed)
	require.NoError(t, err)
	mib := make([]byte, 1<<20)
	_, err = c.Write(mib)
	require.NoError(t, err)
	require.NoError(t, c.Flush())
	c.Reset(&end)
	require.NoError(t, c.Close())
	compressed := append(bytes.Repeat(once.Bytes(), int(n)), end.Bytes()...)
	sum := crc32.NewIEEE()
	for range n {
		sum.Write(mib)
	}
	w, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CRC32: sum.Sum32(), CompressedSize64: uint64(len(compressed)), UncompressedSize64: uint64(n) << 20})
	require.NoError(t, err)
	_, err = w.Write(compressed)
	require.NoError(t, err)
}

func TestZipsVerify(t *testing.T) {
	f, d := copies()
	a, b, err := trial.Zips(f, d)
	require.NoError(t, err)
	again, _, err := trial.Zips(f, d)
	require.NoError(t, err)
	require.Equal(t, a, again, "the same content gives the same bytes")
	files, err := readZip(a)
	require.NoError(t, err)
	dossier, err := readDossier(b)
	require.NoError(t, err)
	requireVerified(t, verify(files, dossier, &sealed.world.Keys))
	_, err = readZip(b)
	require.ErrorContains(t, err, "this is a dossier")
	_, err = readDossier(a)
	require.ErrorContains(t, err, "this is no dossier")
	for _, n := range []int{0, 1, len(a) / 2, len(a) - 1} {
		_, err := readZip(a[:n])
		require.ErrorContains(t, err, "read zip", "cut at %d", n)
		_, err = readDossier(b[:min(n, len(b))])
		require.ErrorContains(t, err, "read zip", "cut at %d", n)
	}
}

func TestZipsOfUnknownOrigin(t *testing.T) {
	text := func(s string) io.Reader { return strings.NewReader(s) }
	many := make([]any, 0, 2*(4000+1))
	for i := range 4000 + 1 {
		many = append(many, strings.Repeat("a", i%100+1)+time.Duration(i).String(), text(""))
	}
	for name, c := range map[string]struct {
		zip  []byte
		says string
	}{
		"a file that unpacks too large": {zipOf(t, "report.json", zeros(17)), "report.json: more than 16777216 bytes"},
		"many that do together":         {zipOf(t, "a", zeros(16), "b", zeros(16), "c", zeros(16), "d", zeros(16), "e", text("x")), "e: more than 0 bytes"},
		"too many files":                {zipOf(t, many...), "4001 files"},
		"a name that leaves the folder": {zipOf(t, "../etc/passwd", text("x")), "bad name"},
		"an absolute name":              {zipOf(t, "/report.json", text("x")), "bad name"},
		"a name twice":                  {zipOf(t, "report.json", text("x"), "report.json", text("y")), "there twice"},
		"batches twice":                 {zipOf(t, "batches.bin", text("x"), "batches.bin", text("y")), "there twice"},
	} {
		require.Less(t, len(c.zip), 1<<20, name)
		_, err := readZip(c.zip)
		require.ErrorContains(t, err, c.says, name)
	}
	// A bomb as batches.bin is read as far as it makes sense: to its first bytes.
	f, d := copies()
	bomb, err := readDossier(zipOf(t, "batches.bin", zeros(256)))
	require.NoError(t, err)
	d.Batches = bomb.Batches
	requireFails(t, verify(f, d, &sealed.world.Keys), "Signed batches read", "does not begin with")
}

func FuzzReadZip(f *testing.F) {
	files, d := copies()
	a, b, err := trial.Zips(files, d)
	require.NoError(f, err)
	f.Add(a)
	f.Add(b[len(b)-2000:])
	f.Add(zipOf(f, "report.json", strings.NewReader("{}")))
	f.Fuzz(func(t *testing.T, b []byte) {
		files, err := readZip(b)
		if err != nil {
			return
		}
		v := verify(files, nil, &sealed.world.Keys)
		// Whatever zip verifies has the sealed files, byte for byte; only a proof may
		// carry more, such as a witness's signature.
		if v.OK() {
			for n, want := range sealed.files {
				if n != "proof.txt" {
					require.Equal(t, want, files[n])
				}
			}
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	b, err := sealed.world.Keys.File()
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"origin":"x","ledger":"","server":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := proof.ParseKeys(b)
		if err != nil {
			return
		}
		again, err := k.File()
		require.NoError(t, err)
		same, err := proof.ParseKeys(again)
		require.NoError(t, err)
		require.Equal(t, k, same)
	})
}

// FuzzBatches begins with a real file that is cut short after a few batches.
func FuzzBatches(f *testing.F) {
	whole := batchesOf(f, sealed.dossier)
	f.Add(whole[:3000])
	f.Add(whole[:200])
	f.Add([]byte("thermie ledger excerpt 1\n"))
	p, err := sealed.dossier.Papers()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := proof.ReadBatches(bytes.NewReader(b), sealed.world.Keys, p)
		if err != nil {
			return
		}
		if e.Err() == nil && !bytes.Equal(b, whole) {
			t.Fatal("other bytes verify")
		}
	})
}
