// Package executor answers: how is one attempt started in its own tree of processes, and ended with all of it?
//
// A tree is held in a cgroup of its own where one can be made, so that nothing escapes a kill; where not, it is
// found again by its session and by a marker in its environment, and says "session". A number of a process is
// never trusted: what is signalled is held by a pidfd, or not reaped yet.
//
// There is one Executor in a process, because it reaps every child of it, orphans that come to it included.
package executor
