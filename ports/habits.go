package ports

// checkHabits names what is odd about a plan that can be compiled.
func (c *compiler) checkHabits(out Compiled) {}
