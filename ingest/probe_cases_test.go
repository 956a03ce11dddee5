package ingest_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"

	"barrage/packager/media"
)

// Bombs: 17 bytes that ask for 34 GB, 60 KB of objects in objects.
const listBomb = "\x0a\x80\x00\x00\x00"

func nestBomb(n int) string { return strings.Repeat("\x03\x00\x01a", n/4) }

func connectWith(bomb string) func(*client, string) {
	return func(c *client, _ string) { c.command(0, amfText("connect"), amfNumber(1), bomb) }
}

func sendRaw(b string) func(*client, string) {
	return func(c *client, _ string) { _, _ = c.conn.Write([]byte(b)) } // the server may have closed
}

func hostile() []probe {
	announce := func(kind byte, first, n int) string {
		var b []byte
		for id := range n {
			b = append(b, byte(first+id), 0, 0, 0, 0xff, 0xff, 0xfe, kind, 0, 0, 0, 0)
			b = append(b, make([]byte, 128)...)
		}
		return string(b)
	}
	return []probe{
		{name: "L1 list of 2^31 in connect", from: shaken, do: connectWith(listBomb), closed: true},
		{name: "L1 list of 2^31 in a member of connect", from: shaken, do: connectWith("\x03" + amfField("app", listBomb)), closed: true},
		{name: "L1 list of 2^31 in an unknown command", from: shaken, do: func(c *client, _ string) {
			c.command(0, amfText("boom"), amfNumber(1), listBomb)
		}},
		{name: "L1 list of 2^31 in data before publish", from: connected, do: func(c *client, _ string) {
			c.must(c.message(typeData, 1, 0, []byte(amfText("boom")+listBomb)))
		}},
		{name: "L1 list of 2^31 in metadata", from: live, do: func(c *client, _ string) {
			c.must(c.message(typeData, 1, 0, []byte(amfText("@setDataFrame")+amfText("onMetaData")+listBomb)))
		}},
		{name: "L1 list of 2^31 as the name of data", from: live, do: func(c *client, _ string) {
			c.must(c.message(typeData, 1, 0, []byte(listBomb)))
		}},
		{name: "L2 60 KB nested in connect", from: shaken, do: connectWith(nestBomb(60_000)), closed: true},
		{name: "L2 16 MB nested in connect", from: shaken, do: func(c *client, _ string) {
			_ = c.message(typeCommand, 0, 0, []byte(amfText("connect")+amfNumber(1)+nestBomb(16_000_000))) // fails when closed
		}, closed: true},
		{name: "L2 60 KB nested in metadata", from: live, do: func(c *client, _ string) {
			c.must(c.message(typeData, 1, 0, []byte(amfText("onMetaData")+nestBomb(60_000))))
		}},
		{name: "L9 17 chunk streams", from: shaken, do: sendRaw(announce(typeAudio, 3, 17)), closed: true},
		{name: "L9 16 messages of 16 MiB announced before publish", from: shaken, do: sendRaw(announce(typeVideo, 5, 14))},
		{name: "L9 a command of 16 MiB announced", from: shaken, do: sendRaw(announce(typeCommand, 3, 1)), closed: true},
		{name: "L9 200 streams made", from: connected, do: func(c *client, _ string) {
			for range 200 {
				c.command(0, amfText("createStream"), amfNumber(7), amfNull)
			}
		}},
		{name: "L23 version 6", from: raw, do: sendRaw("\x06" + strings.Repeat("x", 1536)), closed: true},
		{name: "HTTP", from: raw, do: sendRaw("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), closed: true},
		{name: "TLS", from: raw, do: sendRaw("\x16\x03\x01\x02\x00"), closed: true},
		{name: "random bytes after the handshake", from: shaken, do: sendRaw("\xde\xad\xbe\xef" + strings.Repeat("\xc7\x9a", 2000)), closed: true},
		{name: "a chunk that continues nothing", from: shaken, do: sendRaw("\xc3abc"), closed: true},
		{name: "gone in the middle of a chunk", from: live, do: func(c *client, _ string) {
			c.send([]byte("\x06\x00\x00\x00\x00\x10"))
			c.leave()
		}, closed: true},
		{name: "1,000 pings at once", from: live, do: func(c *client, _ string) {
			c.send(bytes.Repeat([]byte("\x02\x00\x00\x00\x00\x00\x06\x04\x00\x00\x00\x00\x00\x06\x00\x00\x00\x01"), 1000))
		}},
	}
}

func onlySample(dts int64, data string) func([]media.Sample) bool {
	return func(s []media.Sample) bool { return len(s) == 1 && s[0].DTS == dts && string(s[0].Data) == data }
}

func noSample(s []media.Sample) bool { return len(s) == 0 }

var bigFrame = "\xaf\x01" + strings.Repeat("0123456789", 30)

func tagOf(kind byte, at uint32, body string) string {
	n := len(body)
	return string([]byte{kind, byte(n >> 16), byte(n >> 8), byte(n), byte(at >> 16), byte(at >> 8), byte(at), byte(at >> 24), 0, 0, 0}) +
		body + string(binary.BigEndian.AppendUint32(nil, uint32(n+11)))
}

// say sends messages of one kind.
func say(kind byte, bodies ...string) func(*client, string) {
	return func(c *client, _ string) {
		for _, b := range bodies {
			c.must(c.message(kind, 1, 0, []byte(b)))
		}
	}
}

func oddMessages() []probe {
	meta := amfText("onMetaData") + "\x08\x00\x00\x00\x00"
	return []probe{
		{name: "L4 empty audio", from: live, do: say(typeAudio, "", ""), check: noSample},
		{name: "L4 empty video", from: live, do: say(typeVideo, ""), check: noSample},
		{name: "L6 AMF 3 metadata", from: live, do: say(typeDataAMF3, "\x00"+amfText("@setDataFrame")+meta+amfEnd)},
		{name: "L7 aggregate", from: live, do: func(c *client, _ string) {
			c.audio(0, aacHeader)
			c.must(c.message(typeAggregate, 1, 500, []byte(tagOf(typeAudio, 7, aacFrame))))
		}, check: onlySample(500, aacFrame[2:])},
		{name: "L7 shared objects", from: live, do: func(c *client, _ string) { say(19, "x")(c, ""); say(16, "x")(c, "") }},
		{name: "L7 unknown types", from: live, do: func(c *client, _ string) { say(99, bigFrame)(c, ""); say(0, "x")(c, "") }},
		{name: "L8 user control 31 and 32", from: live, do: say(typeUserControl, "\x00\x1f\x00\x00\x00\x01", "\x00\x20\x00\x00\x00\x01")},
		{name: "user control cut off", from: live, do: say(typeUserControl, "", "\x00", "\x00\x06")},
		{name: "L14 ECMA array of a number, then an object", from: live, do: say(typeData, amfText("@setDataFrame")+meta+
			amfField("a", amfNumber(1))+amfField("b", "\x03"+amfField("c", amfText("d"))+amfEnd)+amfEnd)},
		{name: "L19 captions and cue points", from: live, do: say(typeData, amfText("onTextData")+amfNull, amfText("onCuePoint")+amfNull)},
		{name: "L20 data that begins with a number", from: live, do: say(typeData, amfNumber(1), "", amfNull)},
		{name: "L21 media on streams never made", from: live, do: func(c *client, _ string) {
			c.audio(0, aacHeader)
			c.must(c.message(typeAudio, 7, 5, []byte(aacFrame)))
		}, check: onlySample(5, aacFrame[2:])},
		{name: "media before publish", from: connected, do: say(typeAudio, aacHeader, aacFrame), check: noSample},
		{name: "peer bandwidth from a client (DJI)", from: live, do: say(typePeerBandwidth, "\x00\x26\x25\xa0\x02", "")},
		{name: "acknowledgements from a client", from: live, do: say(typeAck, "\x00\x00\x10\x00", "")},
		{name: "L24 ping is answered", from: live, do: func(c *client, _ string) {
			say(typeUserControl, "\x00\x06\x01\x02\x03\x04")(c, "")
			c.expectMessage(typeUserControl, "\x00\x07\x01\x02\x03\x04")
		}},
		{name: "L28 acknowledgements if asked for", from: live, do: func(c *client, _ string) {
			say(typeWindowAckSize, "\x00\x00\x80\x00")(c, "")
			say(99, strings.Repeat("x", 40_000))(c, "")
			c.expectMessage(typeAck, "")
		}},
	}
}

// skip reads n bytes.
func (c *client) skip(n int) {
	c.t.Helper()
	if _, err := io.ReadFull(c.r, make([]byte, n)); err != nil {
		c.t.Fatal(err)
	}
}

// expectMessage reads until a message of that kind and beginning.
func (c *client) expectMessage(kind byte, prefix string) {
	c.t.Helper()
	for {
		k, body, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for a message of type %d: %v", kind, err)
		}
		if k == kind && strings.HasPrefix(string(body), prefix) {
			return
		}
	}
}

// connectBy connects with those members.
func connectBy(members ...string) func(*client, string) {
	return func(c *client, _ string) {
		c.command(0, amfText("connect"), amfNumber(1), "\x03", amfField("app", amfText("live")), strings.Join(members, ""), amfEnd)
		c.expect("_result")
	}
}

func oddConnects() []probe {
	odd := map[string]string{
		"undefined":      amfField("swfUrl", "\x06"),
		"a long string":  amfField("tcUrl", "\x0c\x00\x00\x00\x02xx"),
		"no UTF-8":       amfField("flashVer", "\x02\x00\x02\xff\xfe"),
		"a date":         amfField("when", "\x0b"+amfNumber(1)[1:]+"\x00\x00"),
		"a typed object": amfField("x", "\x10\x00\x01T"+amfEnd),
		"fpad as number": amfField("fpad", amfNumber(0)),
		"capabilities as string, unsupported, reference": amfField("capabilities", amfText("239")) + amfField("u", "\x0d") + amfField("r", "\x07\x00\x01"),
		"a list": amfField("fourCcList", "\x0a\x00\x00\x00\x01"+amfText("hvc1")),
	}
	var cases []probe
	for name, members := range odd {
		cases = append(cases, probe{name: "L12 connect with " + name, from: raw, to: connected, do: func(c *client, key string) {
			c.handshake()
			connectBy(members)(c, key)
		}})
	}
	return cases
}

func oddCommands() []probe {
	publish := func(c *client, stream uint32, args ...string) {
		c.command(stream, append([]string{amfText("publish"), amfNumber(3), amfNull}, args...)...)
		if code := property(c.expect("onStatus"), "code"); code != "NetStream.Publish.Start" {
			c.t.Errorf("publish: %s", code)
		}
	}
	again := func(c *client) { c.command(0, amfText("deleteStream"), amfNumber(0), amfNull, amfText("1")) }
	return append(oddConnects(), []probe{
		{name: "L6 AMF 3 commands", from: shaken, to: connected, do: func(c *client, key string) {
			for _, body := range []string{
				amfText("connect") + amfNumber(1) + "\x03" + amfField("app", amfText("live")) + amfField("objectEncoding", amfNumber(3)) + amfEnd,
				amfText("createStream") + amfNumber(2) + amfNull,
				amfText("publish") + amfNumber(3) + amfNull + amfText(key),
			} {
				c.must(c.message(typeCommandAMF3, 1, 0, []byte("\x00"+body)))
			}
			c.expect("onStatus")
			again(c)
		}},
		{name: "L13 deleteStream with a text", from: connected, do: func(c *client, key string) {
			publish(c, 1, amfText(key))
			again(c)
			publish(c, 1, amfText(key))
			again(c)
		}},
		{name: "L15 Enhanced RTMP is answered", from: shaken, to: connected, do: func(c *client, _ string) {
			c.command(0, amfText("connect"), amfNumber(1), "\x03", amfField("app", amfText("live")),
				amfField("fourCcList", "\x0a\x00\x00\x00\x01"+amfText("avc1")), amfField("capsEx", amfNumber(7)), amfEnd)
			body := c.expect("_result")
			for _, want := range []string{"objectEncoding", "fourCcList", "avc1", "capsEx"} {
				if !bytes.Contains(body, []byte(want)) {
					c.t.Errorf("the answer to connect lacks %s", want)
				}
			}
		}},
		{name: "L18 releaseStream and FCPublish are answered", from: connected, do: func(c *client, key string) {
			c.command(0, amfText("releaseStream"), amfNumber(20), amfNull, amfText(key))
			c.command(0, amfText("FCPublish"), amfNumber(21), amfNull, amfText(key))
			for _, n := range []float64{20, 21} {
				if body := c.expect("_result"); !bytes.Contains(body, []byte(amfNumber(n))) {
					c.t.Errorf("answer %q, want transaction %v", body, n)
				}
			}
		}},
		{name: "L20 names missing or null", from: connected, do: func(c *client, _ string) {
			c.command(0, amfText("releaseStream"), amfNumber(20))
			c.command(0, amfText("FCPublish"), amfNumber(21), amfNull, amfNull)
			c.command(0, amfText("FCUnpublish"), amfNumber(22))
		}},
		{name: "L16 a wrong key is refused in words", from: connected, do: func(c *client, _ string) {
			code, text := c.publish("live.1.0.AAAAAAAAAAAAAAAAAAAAAA")
			if code != "NetStream.Publish.Denied" || !strings.Contains(text, "the stream key is not valid") {
				c.t.Errorf("status %s %q", code, text)
			}
		}, closed: true},
		{name: "L26 keys where the library logs them", from: connected, do: func(c *client, key string) {
			for _, name := range []string{"releaseStream", "FCPublish", "FCUnpublish", key} {
				c.command(0, amfText(name), amfNumber(20), amfNull, amfText(key)) // the rig reads the log at the end
			}
		}},
		{name: "L20 publish without a name is refused in words", from: connected, do: func(c *client, _ string) {
			c.command(1, amfText("publish"), amfNumber(3), amfNull, amfNull)
			if body := c.expect("onStatus"); property(body, "code") != "NetStream.Publish.Denied" {
				c.t.Errorf("status %q", body)
			}
		}, closed: true},
		{name: "L21 publish without createStream", from: shaken, to: connected, do: func(c *client, key string) {
			connectBy()(c, key)
			publish(c, 1, amfText(key))
			again(c)
		}},
		{name: "L22 publish on stream 0", from: connected, do: func(c *client, key string) {
			publish(c, 0, amfText(key), amfText("live"))
			again(c)
		}},
		{name: "publish without a type (Extron)", from: connected, do: func(c *client, key string) {
			publish(c, 1, amfText(key))
			again(c)
		}},
		{name: "publish twice on one stream", from: live, do: func(c *client, key string) {
			c.command(1, amfText("publish"), amfNumber(3), amfNull, amfText(key))
		}},
		{name: "connect twice", from: live, do: connectTwice},
		{name: "unknown commands", from: live, do: func(c *client, _ string) {
			c.command(0, amfText("_checkbw"), amfNumber(4), amfNull)
			c.command(0, amfText("FCSubscribe"), amfNumber(5), amfNull, amfText("x"))
			c.command(0, amfText("_result"), amfNumber(6), amfNull)
			c.command(0, amfNumber(6))
			c.command(0, "")
		}},
		{name: "L29 play is refused", from: connected, do: func(c *client, _ string) {
			c.command(1, amfText("play"), amfNumber(0), amfNull, amfText("live"))
		}, closed: true},
	}...)
}

func connectTwice(c *client, _ string) {
	c.command(0, amfText("connect"), amfNumber(1), "\x03", amfField("app", amfText("other")), amfEnd)
}

// chunkOf is an audio message of one chunk.
func chunkOf(head, body string) string {
	return head + string([]byte{0, 0, byte(len(body)), typeAudio, 1, 0, 0, 0}) + body
}

func oddChunks() []probe {
	const n = 302 // bytes of bigFrame
	length := "\x00\x01\x2e\x08\x01\x00\x00\x00"
	frames := func(parts ...string) func(*client, string) {
		return func(c *client, _ string) {
			c.audio(0, aacHeader)
			c.send([]byte(strings.Join(parts, "")))
		}
	}
	const late = "\x01\x00\x00\x10"
	return []probe{
		{
			name: "L3 extended time, again in each chunk", from: live, do: frames("\x06\xff\xff\xff", length, late, bigFrame[:128], "\xc6", late, bigFrame[128:256], "\xc6", late, bigFrame[256:]),
			check: onlySample(0x1000010, bigFrame[2:]),
		},
		{
			name: "L3 extended time, only in the first chunk (librtmp)", from: live, do: frames("\x06\xff\xff\xff", length, late, bigFrame[:128], "\xc6", bigFrame[128:256], "\xc6", bigFrame[256:]),
			check: onlySample(0x1000010, bigFrame[2:]),
		},
		{
			name: "L5 header in the middle of a message", from: live, do: frames("\x06\x00\x00\x05", length, bigFrame[:128], chunkOf("\x06\x00\x00\x09", aacFrame)),
			check: onlySample(9, aacFrame[2:]),
		},
		{
			name: "L5 abort", from: live, do: frames("\x06\x00\x00\x05", length, bigFrame[:128], "\x02\x00\x00\x00\x00\x00\x04", string([]byte{typeAbort}), "\x00\x00\x00\x00\x00\x00\x00\x06", chunkOf("\x06\x00\x00\x0a", aacFrame)),
			check: onlySample(10, aacFrame[2:]),
		},
		{
			name: "L25 type 3 after type 0", from: live, do: frames(chunkOf("\x06\x00\x00\x09", aacFrame), "\xc6", aacFrame),
			check: func(s []media.Sample) bool { return len(s) == 2 && s[0].DTS == 9 && s[1].DTS == 18 },
		},
		{
			name: "chunk stream ids of 2 and 3 bytes", from: live, do: frames(chunkOf("\x00\x00\x00\x00\x01", aacFrame), chunkOf("\x01\x00\x05\x00\x00\x02", aacFrame)),
			check: func(s []media.Sample) bool { return len(s) == 2 && s[0].DTS == 1 && s[1].DTS == 2 },
		},
		{name: "a chunk stream that begins with type 1 (DJI Osmo)", from: live, do: frames("\x46\x00\x00\x07\x00\x00\x05\x08", aacFrame), check: onlySample(7, aacFrame[2:])},
		{
			name: "interleaved", from: live, do: frames("\x06\x00\x00\x05", length, bigFrame[:128], "\x07\x00\x00\x06", length, bigFrame[:128], "\xc6", bigFrame[128:256], "\xc7", bigFrame[128:256], "\xc6", bigFrame[256:n], "\xc7", bigFrame[256:n]),
			check: func(s []media.Sample) bool {
				return len(s) == 2 && s[0].DTS == 5 && s[1].DTS == 6 && string(s[1].Data) == bigFrame[2:]
			},
		},
		{name: "chunk size 0", from: live, do: say(typeSetChunkSize, "\x00\x00\x00\x00")},
		{name: "chunk size 1", from: live, do: func(c *client, _ string) {
			c.audio(0, aacHeader)
			say(typeSetChunkSize, "\x00\x00\x00\x01")(c, "")
			c.send([]byte("\x06\x00\x00\x07\x00\x00\x05\x08\x01\x00\x00\x00" + strings.Join(strings.Split(aacFrame, ""), "\xc6")))
			c.send([]byte("\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\xc2\x00\xc2\x00\xc2\x80"))
		}, check: onlySample(7, aacFrame[2:])},
		{name: "L23 C2 that echoes nothing", from: raw, to: shaken, do: func(c *client, _ string) {
			c.send(append([]byte{3}, make([]byte, 1536)...))
			c.skip(1 + 1536 + 1536)
			c.send(bytes.Repeat([]byte{7}, 1536))
		}},
		{name: "handshake and connect in one piece", from: raw, to: connected, do: func(c *client, _ string) {
			c.send(append([]byte{3}, make([]byte, 3072)...))
			c.command(0, amfText("connect"), amfNumber(1), "\x03", amfField("app", amfText("live")), amfEnd)
			c.skip(1 + 1536 + 1536)
			c.expect("_result")
		}},
	}
}
