package auth

// Len counts the addresses that b remembers.
func (b *Backoff) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.addrs)
}
