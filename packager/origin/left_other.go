//go:build !unix

package origin

// left would look whether the client has left. Who cannot tell lets it wait for nothing.
func (c *laneConn) left() bool { return false }
