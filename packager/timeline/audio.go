package timeline

import (
	"barrage/packager/media"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// AudioUnit returns how many samples of tr.SampleRate one access unit holds.
//
// ISO/IEC 14496-3, 4.5.2.1.1: an AAC frame codes 1024 samples, or 960 when
// frameLengthFlag is set, at the rate of the core coder; spectral band
// replication doubles the rate and with it the count. ISO/IEC 13818-3, 2.4.1: an
// MP3 frame codes 1152 samples, or 576 at the low rates, which are those below
// 32 kHz.
func AudioUnit(tr media.Track) int64 {
	if tr.Codec == media.MP3 {
		if tr.SampleRate < 32000 {
			return 576
		}
		return 1152
	}
	unit := int64(1024)
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(tr.Config); err != nil || c.SampleRate <= 0 {
		return unit
	}
	if c.FrameLengthFlag {
		unit = 960
	}
	if r := int64(tr.SampleRate); r > int64(c.SampleRate) {
		unit = unit * r / int64(c.SampleRate)
	}
	return unit
}
