package timeline

import (
	"barrage/packager/media"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// AudioUnit returns how many samples of tr.SampleRate one access unit holds.
//
// ISO/IEC 14496-3, 4.5.2.1.1: an AAC frame codes 1024 samples, or 960 when
// frameLengthFlag is set, at the rate of the core coder; spectral band
// replication doubles the rate and with it the count.
func AudioUnit(tr media.Track) int64 {
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
