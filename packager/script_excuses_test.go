package packager_test

// excuse is a rule that scripts cannot but break, because of what their publisher does.
// One that is not needed fails the test.
type excuse struct {
	rule    string
	most    int // violations in one script; 0: as many as the watch is long
	scripts string
	reason  string
}

func excuses() []excuse {
	return []excuse{
		{
			"part-cadence", 2, `audio_lost audio_silent_4s_long_gop audio_silent_8s audio_silent_then_jump clean_stop_and_start
			drops freeze_2s freeze_5s held_up_3s jump_10s_back jump_hour_ahead line_without_sound open_gop reconnect_30s
			reconnect_3s reconnect_at_once reconnect_other_rate reconnect_twice_without_media resolution_change_before_key
			wall_clock_step_and_jump wall_clock_steps`,
			"nothing comes for a while, or nothing that can be decoded before the next sync sample: once in each rendition",
		},
		{"part-cadence", 3, "audio_ahead_later", "the same, and then audio that was 3.5 s ahead"},
		{"part-cadence", 6, "rule_numbers_survive", "the same three times"},
		{
			"reload-waits-on", 0, `clean_stop clean_stop_and_start reconnect_30s reconnect_3s reconnect_90s reconnect_other_rate
			reconnect_other_tracks reconnect_twice_without_media rule_grace_clean rule_grace_lost rule_numbers_survive wall_clock_steps`,
			"the publisher is away: the playlist as it is, after a while, is better than 503 for players that leave the low-latency mode at it",
		},
		{"six-segments", 0, "reconnect_30s reconnect_90s rule_grace_lost", "the publisher left after five segments or fewer and stays away"},
		{"hint-served", 1, "audio_silent_8s freeze_5s", "the part comes after three target durations: 503, as nobody knows that it will"},
		{
			"hint-abandoned-404", 2, "audio_silent_10s freeze_5s video_silent_10s",
			"503 after three target durations, when it was not known yet that the part would never come",
		},
		{
			"segment-starts-with-sync", 0, `drops freeze_2s gop_changes gop_none_for_60s gop_none_later reconnect_other_rate
			rule_no_independent_segments rule_target_duration_at_most_10s rule_target_duration_once scene_changes`,
			"a GOP lasts longer than the target duration, which is constant: it was shorter when the epoch began, or lasts longer than 10 s",
		},
		{
			"same-boundaries", 1, "audio_silent_then_jump line_without_sound",
			"pictures without sound: the audio has no segment there. One with EXT-X-GAP would have it, but is an error to hls.js, " +
				"which then looks for another variant where there is none",
		},
		{
			"same-discontinuities", 1, "line_without_sound",
			`the same: "matching content" (6.2.4) is what must have the same numbers. Behind it they are the same: two tags stand before one segment`,
		},
		{
			"ts-pts-follows-pdt", 2, "open_gop",
			"the pictures that lead to a sync sample are shown before it, except behind a discontinuity, where they cannot be decoded and are dropped",
		},
		{"bandwidth-average", 2, "reconnect_other_rate", "the publisher comes back with twice as many pictures a second; the playlist from before cannot know"},
		{"bandwidth-peak", 2, "reconnect_other_rate", "the same"},
	}
}
