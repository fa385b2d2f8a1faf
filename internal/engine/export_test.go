package engine

// Waiting returns how many requests wait for the next turn.
func (e *Engine) Waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.queue)
}
