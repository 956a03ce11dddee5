package mpegts

// payloadSize is what a packet without an adaptation field carries.
const payloadSize = packetSize - 4

// Adaptation fields with their length byte (2.4.3.4).
const (
	clockField   = 8 // flags and a PCR
	randomAccess = 0x40
	hasClock     = 0x10
)

// packets cuts one PES packet into transport packets.
type packets struct {
	dst   []byte
	pid   uint16
	count uint8 // continuity counter of the next packet
	left  int   // bytes of the PES packet that are still to come
	room  int   // in the packet that is open
}

// packetsOf returns how many packets a PES packet of n bytes takes.
func packetsOf(n int, clocked bool) int {
	if clocked {
		n += clockField
	}
	return (n + payloadSize - 1) / payloadSize
}

// begin opens the first packet of a PES packet of n bytes. clock is its PCR in ticks
// of 90 kHz, if it is clocked; sync sets the random_access_indicator beside it.
func (w *packets) begin(n int, clocked, sync bool, clock int64) {
	w.left = n
	if !clocked {
		w.open(0x40)
		return
	}
	w.header(0x40, 0x30)
	stuffing := max(payloadSize-clockField-n, 0)
	flags := byte(hasClock)
	if sync {
		flags |= randomAccess
	}
	base := uint64(clock) & ticksMask
	w.dst = append(w.dst, byte(clockField-1+stuffing), flags,
		byte(base>>25), byte(base>>17), byte(base>>9), byte(base>>1), byte(base<<7)|0x7e, 0)
	w.stuff(stuffing)
	w.room = payloadSize - clockField - stuffing
}

// open starts a packet; the last one of a PES packet is filled up in front of its
// payload: there is no other place for stuffing (2.4.3.5).
func (w *packets) open(start byte) {
	stuffing := payloadSize - w.left
	if stuffing <= 0 {
		w.header(start, 0x10)
		w.room = payloadSize
		return
	}
	w.header(start, 0x30)
	w.dst = append(w.dst, byte(stuffing-1))
	if stuffing > 1 {
		w.dst = append(w.dst, 0)
		w.stuff(stuffing - 2)
	}
	w.room = w.left
}

func (w *packets) header(start, control byte) {
	w.dst = append(w.dst, syncByte, start|byte(w.pid>>8), byte(w.pid), control|w.count&0x0f)
	w.count++
}

func (w *packets) stuff(n int) {
	for range n {
		w.dst = append(w.dst, 0xff)
	}
}

// bytes writes the next bytes of the PES packet.
func (w *packets) bytes(b []byte) {
	for len(b) > 0 {
		if w.room == 0 {
			b = w.whole(b)
			if len(b) == 0 {
				return
			}
			w.open(0)
		}
		n := min(w.room, len(b))
		w.dst = append(w.dst, b[:n]...)
		w.room -= n
		w.left -= n
		b = b[n:]
	}
}

func (w *packets) text(s string) { w.bytes([]byte(s)) }

// whole writes the packets that b fills alone: almost all of them, so their loop
// holds nothing else.
func (w *packets) whole(b []byte) (rest []byte) {
	dst, count := w.dst, w.count
	for len(b) >= payloadSize {
		dst = append(dst, syncByte, byte(w.pid>>8), byte(w.pid), 0x10|count&0x0f)
		dst = append(dst, b[:payloadSize]...)
		b = b[payloadSize:]
		w.left -= payloadSize
		count++
	}
	w.dst, w.count = dst, count
	return b
}
