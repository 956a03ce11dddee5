//go:build load

package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A wave comes twice a minute and lasts some seconds.
const (
	waveEvery = 30 * time.Second
	waveLasts = 6 * time.Second
)

// wave returns the number of the wave that now falls into, and whether one does.
func wave(now time.Time) (n int, surge bool) {
	since := time.Duration(now.UnixNano())
	return int(since / waveEvery), since%waveEvery < waveLasts
}

// voice is what people of one language call themselves, say and shout.
type voice struct {
	first, second []string // halves of a nickname
	lines         []string
	shouts        []string // one for each wave
}

func (v voice) nick(dice *rand.Rand, i int) string {
	return fmt.Sprintf("%s%s%d", pick(dice, v.first), pick(dice, v.second), i)
}

func (v voice) line(dice *rand.Rand, now time.Time) string {
	if n, surge := wave(now); surge && dice.Float64() < 0.8 {
		return v.shouts[n%len(v.shouts)]
	}
	return pick(dice, v.lines)
}

func pick(dice *rand.Rand, from []string) string { return from[dice.IntN(len(from))] }

func voices() []voice { return []voice{chinese(), english(), japanese()} }

func chinese() voice {
	return voice{
		first:  []string{"半夜", "快乐", "努力", "隔壁", "吃瓜", "爱睡", "路过", "南方"},
		second: []string{"小猫", "土豆", "同学", "大叔", "企鹅", "豆沙包", "海豹", "星星"},
		lines: []string{
			"来了来了！", "前排围观", "主播好！", "今天人好多啊", "画质好清楚", "第一次来，大家好", "哈哈哈哈哈", "这也太强了吧",
			"打卡", "求歌名", "妈妈问我为什么跪着看", "刚下班，赶上了", "弹幕护体", "有没有广东的朋友", "这个钟走得好准", "主播喝口水吧",
			"笑死我了", "有点东西", "名场面", "保存了保存了", "再来一次！", "延迟好低", "我从头看到现在", "感动到哭",
		},
		shouts: []string{"666666", "哈哈哈哈哈哈", "前方高能", "泪目", "啊啊啊啊啊"},
	}
}

func english() voice {
	return voice{
		first:  []string{"sleepy", "tiny", "midnight", "lucky", "brave", "cosmic", "salty", "quiet"},
		second: []string{"otter", "pixel", "noodle", "badger", "comet", "toast", "panda", "wizard"},
		lines: []string{
			"hello from Lisbon", "just got here, what did I miss?", "the tone!! my cat is dancing", "this is so smooth", "LOL",
			"first time here, hi everyone", "that was clean", "who else is watching at work", "chat is fast today", "no way",
			"can we get that again?", "love this party", "greetings from the night shift", "the clock is hypnotic", "10/10",
			"wait for it...", "I brought snacks", "sound is great", "how is the delay so low", "goosebumps",
		},
		shouts: []string{"GG", "LET'S GO", "WOOOOO", "one more time!", "best party ever"},
	}
}

func japanese() voice {
	return voice{
		first:  []string{"ねむい", "となりの", "通りすがりの", "夜型", "小さな", "ごきげん", "はらぺこ", "北の"},
		second: []string{"ネコ", "パンダ", "おにぎり", "ペンギン", "たぬき", "メガネ", "うどん", "カモメ"},
		lines: []string{
			"こんばんは！", "初見です", "わこつ", "待ってました", "きれいな画面", "これはすごい", "笑った", "なるほど", "かわいい",
			"今北産業", "いい音", "時計ぴったり", "おつかれさま", "もう一回！", "鳥肌立った", "大阪から見てます", "人多いな", "うますぎる",
			"録画した", "コメント速い", "天才か", "泣いた",
		},
		shouts: []string{"wwwwwwww", "88888888", "きたああああ", "うおおおお", "神"},
	}
}
