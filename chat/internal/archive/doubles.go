package archive

import "hash/maphash"

// generation is how many comments one generation of doubles holds: in a surge a
// few seconds' worth and 24 MiB, in every other room more than a show has.
const generation = 1 << 19

// doubles knows which comments were there lately. The zero value knows none. Its
// seed is its own: nobody can make a cid that is taken for somebody else's.
type doubles struct {
	young, old map[uint64]struct{}
	hash       maphash.Hash
}

// add notes a comment, and says whether it is new.
func (d *doubles) add(author, cid []byte) bool {
	d.hash.Reset()
	_, _ = d.hash.Write(author) // never fails
	_ = d.hash.WriteByte(0)
	_, _ = d.hash.Write(cid)
	h := d.hash.Sum64()
	if _, known := d.young[h]; known {
		return false
	}
	if _, known := d.old[h]; known {
		return false
	}
	if d.young == nil || len(d.young) == generation {
		d.young, d.old = make(map[uint64]struct{}), d.young
	}
	d.young[h] = struct{}{}
	return true
}
