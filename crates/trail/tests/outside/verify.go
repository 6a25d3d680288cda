// Checks an exported trail with the tools of the Go checksum database, none of which is ours:
//
//	verify FOLDER VKEY WITNESS
//
// FOLDER holds what a server serves under the trail's address: checkpoint, tile/<L>/<N>,
// tile/entries/<N>; and `proofs`, lines as the trail answers them:
//
//	record <position> <hash> …        inclusion in the tree of the checkpoint
//	tree <old size> <old root> <hash> …
//
// The checkpoint is signed by VKEY and cosigned by WITNESS, a verifier key of type 4.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "wrong:", err)
		os.Exit(1)
	}
}

// witness checks cosignatures (C2SP tlog-cosignature, version 1).
type witness struct {
	name string
	key  []byte
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	data, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(parts) != 3 || len(data) != 33 || data[0] != 4 {
		return nil, fmt.Errorf("not a witness key: %s", vkey)
	}
	w := &witness{parts[0], data[1:]}
	if fmt.Sprintf("%08x", w.KeyHash()) != parts[1] {
		return nil, fmt.Errorf("the id of the witness key is wrong: %s", vkey)
	}
	return w, nil
}

func (w *witness) Name() string { return w.name }

func (w *witness) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(w.name+"\n\x04"), w.key...))
	return binary.BigEndian.Uint32(sum[:])
}

func (w *witness) Verify(text, signature []byte) bool {
	if len(signature) != 72 {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(w.key, []byte(message), signature[8:])
}

func run(folder, vkey, witnessKey string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	cosigner, err := newWitness(witnessKey)
	if err != nil {
		return err
	}
	opened, err := note.Open(text, note.VerifierList(verifier, cosigner))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != 2 || len(opened.UnverifiedSigs) != 0 {
		return fmt.Errorf("the checkpoint has %d right signatures and %d others", len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return err
	}
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, tiles{folder})

	leaves, err := entries(folder, size)
	if err != nil {
		return err
	}
	indexes := make([]int64, size)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	stored, err := reader.ReadHashes(indexes)
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	for i, leaf := range leaves {
		if leaf != stored[i] {
			return fmt.Errorf("entry %d does not fit its tile", i)
		}
	}
	records, trees, err := proofs(folder, tree, leaves, reader)
	if err != nil {
		return err
	}
	fmt.Printf("right: %s, %d entries, %d inclusion and %d consistency proofs\n", lines[0], size, records, trees)
	return nil
}

// entries hashes all entry bundles.
func entries(folder string, size int64) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	for n := int64(0); n*256 < size; n++ {
		width := int64(256)
		if left := size - n*256; left < width {
			width = left
		}
		bundle, err := os.ReadFile(filepath.Join(folder, "tile/entries", path(n, int(width))))
		if err != nil {
			return nil, err
		}
		for i := int64(0); i < width; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("bundle %d ends early", n)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			leaves = append(leaves, tlog.RecordHash(bundle[2:end]))
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("bundle %d is too long", n)
		}
	}
	return leaves, nil
}

// proofs checks the trail's own proofs, and that Go makes the same ones from the tiles.
func proofs(folder string, tree tlog.Tree, leaves []tlog.Hash, reader tlog.HashReader) (records, trees int, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "proofs"))
	if err != nil {
		return 0, 0, err
	}
	for scanner := bufio.NewScanner(bytes.NewReader(text)); scanner.Scan(); {
		words := strings.Fields(scanner.Text())
		number, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		var hashes []tlog.Hash
		for _, word := range words[2:] {
			hash, err := tlog.ParseHash(word)
			if err != nil {
				return 0, 0, err
			}
			hashes = append(hashes, hash)
		}
		var ours, theirs []tlog.Hash
		switch words[0] {
		case "record":
			records++
			ours = hashes
			if err := tlog.CheckRecord(ours, tree.N, tree.Hash, number, leaves[number]); err != nil {
				return 0, 0, fmt.Errorf("inclusion of %d: %w", number, err)
			}
			theirs, err = tlog.ProveRecord(tree.N, number, reader)
		case "tree":
			trees++
			ours = hashes[1:]
			if err := tlog.CheckTree(ours, tree.N, tree.Hash, number, hashes[0]); err != nil {
				return 0, 0, fmt.Errorf("consistency with %d: %w", number, err)
			}
			theirs, err = tlog.ProveTree(tree.N, number, reader)
		}
		if err != nil {
			return 0, 0, err
		}
		if fmt.Sprint(ours) != fmt.Sprint(theirs) {
			return 0, 0, fmt.Errorf("Go makes another proof of %q", scanner.Text())
		}
	}
	return records, trees, nil
}

// tiles reads tiles where C2SP tlog-tiles has them: without the height in the path.
type tiles struct{ folder string }

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		data, err := os.ReadFile(filepath.Join(t.folder, "tile", strconv.Itoa(tile.L), path(tile.N, tile.W)))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// path has Go spell the path, and cuts tile/8/0/ off it.
func path(n int64, width int) string {
	return strings.TrimPrefix(tlog.Tile{H: 8, L: 0, N: n, W: width}.Path(), "tile/8/0/")
}
