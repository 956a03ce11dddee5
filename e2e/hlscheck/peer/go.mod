module barrage/e2e/hlscheck/peer

go 1.26.0

require (
	barrage v0.0.0
	github.com/bluenviron/gohlslib/v2 v2.4.3
	github.com/bluenviron/mediacommon/v2 v2.9.3
)

require (
	github.com/Eyevinn/mp4ff v0.48.0 // indirect
	github.com/abema/go-mp4 v1.7.1 // indirect
	github.com/asticode/go-astikit v0.30.0 // indirect
	github.com/asticode/go-astits v1.16.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
)

replace barrage => ../../..
