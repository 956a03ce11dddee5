package chat_test

import (
	"testing"

	"barrage/chat"
	"barrage/chat/brokertest"
)

func TestMemoryContract(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) func() brokertest.Node {
		m := chat.NewMemory(chat.MemoryOptions{})
		t.Cleanup(func() { m.Close() })
		return func() brokertest.Node { return m }
	})
}
