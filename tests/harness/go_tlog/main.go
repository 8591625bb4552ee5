// Command go_tlog checks the log of a running Annals with nothing but what the Go project
// publishes for transparency logs: golang.org/x/mod/sumdb/note and .../tlog.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

func main() {
	base := flag.String("url", "", "where the log is served, such as http://localhost:8080/log")
	key := flag.String("key", "", "verifier key of the log")
	witness := flag.String("witness", "", "verifier key of a witness that must have cosigned")
	since := flag.String("since", "", "file with an older checkpoint")
	proof := flag.String("proof", "", "file with the answer of the endpoint /proof")
	flag.Parse()
	report, err := check(*base, *key, *witness, *since, *proof)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(report)
}

type report struct {
	Origin   string `json:"origin"`
	Size     int64  `json:"size"`
	Included int64  `json:"included"`
	Since    int64  `json:"since"`
	Proven   int64  `json:"proven"`
}

func check(base, key, witness, since, proof string) (*report, error) {
	raw, err := get(base + "/checkpoint")
	if err != nil {
		return nil, err
	}
	origin, tree, err := open(raw, key, witness)
	if err != nil {
		return nil, err
	}
	hashes := tlog.TileHashReader(tree, &tiles{base})
	found := &report{Origin: origin, Size: tree.N}
	if found.Included, err = included(base, tree, hashes); err != nil {
		return nil, err
	}
	if since != "" {
		if found.Since, err = grown(since, key, tree, hashes); err != nil {
			return nil, err
		}
	}
	if proof != "" {
		if found.Proven, err = proven(proof, key); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// open verifies a checkpoint and returns its origin and its tree.
func open(raw []byte, key, witness string) (string, tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return "", tree, err
	}
	known := []note.Verifier{verifier}
	if witness != "" {
		cosigner, err := newCosigner(witness)
		if err != nil {
			return "", tree, err
		}
		known = append(known, cosigner)
	}
	opened, err := note.Open(raw, note.VerifierList(known...))
	if err != nil {
		return "", tree, err
	}
	if len(opened.Sigs) != len(known) {
		return "", tree, fmt.Errorf("%d of %d signatures", len(opened.Sigs), len(known))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return "", tree, fmt.Errorf("not a checkpoint: %q", opened.Text)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return "", tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return lines[0], tree, err
}

// included checks that every entry has its place in the tree, and how many there are.
func included(base string, tree tlog.Tree, hashes tlog.HashReader) (int64, error) {
	index := int64(0)
	for index < tree.N {
		bundle := tlog.Tile{H: height, L: -1, N: index / width, W: int(min(width, tree.N-index))}
		data, err := get(base + "/" + path(bundle))
		if err != nil {
			return 0, err
		}
		for len(data) > 0 {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return 0, errors.New("a bundle that is cut off")
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			proof, err := tlog.ProveRecord(tree.N, index, hashes)
			if err != nil {
				return 0, err
			}
			leaf := tlog.RecordHash(data[2:end])
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
				return 0, fmt.Errorf("entry %d: %w", index, err)
			}
			data, index = data[end:], index+1
		}
	}
	return index, nil
}

// grown checks that the tree goes on from an older checkpoint, and how large that was.
func grown(file, key string, tree tlog.Tree, hashes tlog.HashReader) (int64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	_, old, err := open(raw, key, "")
	if err != nil {
		return 0, err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return 0, err
	}
	return old.N, tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// proven checks the answer of /proof from the leaf upwards, and returns the position.
func proven(file, key string) (int64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Leaf       json.RawMessage
		Position   int64
		Proof      []tlog.Hash
		Checkpoint string
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return 0, err
	}
	_, tree, err := open([]byte(answer.Checkpoint), key, "")
	if err != nil {
		return 0, err
	}
	leaf := tlog.RecordHash(answer.Leaf)
	return answer.Position, tlog.CheckRecord(
		answer.Proof, tree.N, tree.Hash, answer.Position-1, leaf)
}

// tiles reads the tiles of C2SP tlog-tiles, whose paths leave out the height.
type tiles struct{ base string }

func (t *tiles) Height() int { return height }

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		data, err := get(t.base + "/" + path(tile))
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

func path(tile tlog.Tile) string {
	return strings.Replace(strings.Replace(tile.Path(), "/8/", "/", 1), "/data/", "/entries/", 1)
}

func get(url string) ([]byte, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, answer.Status, body)
	}
	return body, err
}

// cosigner verifies cosignature/v1 of C2SP tlog-cosignature.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a verifier key")
	}
	id, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 4 {
		return nil, errors.New("not the key of a witness")
	}
	return &cosigner{parts[0], uint32(id), raw[1:]}, nil
}

func (c *cosigner) Name() string { return c.name }

func (c *cosigner) KeyHash() uint32 { return c.id }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	var signed bytes.Buffer
	fmt.Fprintf(&signed, "cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	signed.Write(msg)
	return ed25519.Verify(c.key, signed.Bytes(), sig[8:])
}
