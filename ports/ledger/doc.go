// Package ledger answers: whose is this port, until when, and how does it get its socket?
//
// A pool of the plan is a range of numbers; a lease gives one of them to one owner. The ledger is one folder for each
// host, used by every agent and every command on it at the same time:
//
//	lock      held by the kernel for whoever decides (flock); empty, and gone with its holder
//	ledger    the records: appended, never changed, each with a checksum
//	sync      up to which record the disk has them; a hint that saves syncs, never believed against the file
//
// A grant goes like this. Under the lock: read what others have appended; look which numbers are free; bind one, and
// listen on it, on the exact address; append the record. Then, without the lock, wait until the disk has the record:
// one sync serves all who wait, in all processes. Only then is the lease answered, with its socket: no moment lies
// between looking and having, and there is no function that returns a number to bind later.
//
//	         lease                    release, or expiry               its hold has passed
//	free ─────────────▶ listening ────────────────────────▶ held ───────────────────────▶ free
//	  ▲                     │ owner gone, sticky: planned ──▶ the name leases again
//	  └── program gone ── blocked, leaked: somebody else has the port
//
// What time does to a lease follows from its record, so all processes see the same without writing it down. Who is
// alive does not, so the death of an owner is written by the first who notices.
package ledger
