package api

import "time"

// Times are RFC 3339 in UTC, absent is null, ids are strings. These types are the API's: the command line's
// -o json prints them as they are.

// Run is a run with its jobs.
type Run struct {
	ID       string            `json:"id" doc:"sorts by creation"`
	Net      string            `json:"net"`
	Version  int               `json:"version" doc:"of the net"`
	State    string            `json:"state" enum:"waiting,held,running,succeeded,warning,failed,cancelled,unknown"`
	Reason   *string           `json:"reason"`
	By       string            `json:"by" doc:"who ordered it"`
	HeldBy   *string           `json:"held_by"`
	RerunOf  *string           `json:"rerun_of"`
	Created  time.Time         `json:"created"`
	Schedule *string           `json:"schedule" doc:"whose occurrence it is; manual: added by hand; null: a person or a program ordered it"`
	Nominal  *time.Time        `json:"nominal"`
	Started  *time.Time        `json:"started" doc:"the first dispatch"`
	Ended    *time.Time        `json:"ended"`
	Params   map[string]string `json:"params"`
	Jobs     []Job             `json:"jobs"`
}

// Job is a job of a run.
type Job struct {
	Name     string     `json:"name"`
	State    string     `json:"state" enum:"waiting,ready,held,dispatched,running,succeeded,warning,failed,cancelled,skipped,unknown"`
	Reason   *string    `json:"reason"`
	Detail   *string    `json:"detail"`
	After    []string   `json:"after"`
	Since    time.Time  `json:"since" doc:"when the state was entered"`
	Due      *time.Time `json:"due" doc:"when a retry may start"`
	Decided  *string    `json:"decided" doc:"who decided an unknown end"`
	Attempts []Attempt  `json:"attempts"`
}

// Attempt is one try of a job.
type Attempt struct {
	N           int               `json:"n"`
	Agent       string            `json:"agent"`
	State       string            `json:"state" enum:"dispatched,running,succeeded,warning,failed,cancelled,unknown"`
	Reason      *string           `json:"reason"`
	Detail      *string           `json:"detail"`
	ExitCode    *int              `json:"exit_code" doc:"null after a signal"`
	Signal      *string           `json:"signal" doc:"a name: SIGTERM"`
	PID         *int              `json:"pid"`
	Containment *string           `json:"containment" enum:"cgroup,session"`
	Ordered     time.Time         `json:"ordered"`
	Started     *time.Time        `json:"started"`
	Ended       *time.Time        `json:"ended"`
	Outputs     map[string]string `json:"outputs"`
	Artifacts   []Artifact        `json:"artifacts"`
	OutputBytes int64             `json:"output_bytes" doc:"of the stored output, its framing included"`
	LostBytes   int64             `json:"lost_bytes" doc:"output that was dropped"`
	CPUSeconds  float64           `json:"cpu_seconds"`
	MaxRSS      int64             `json:"max_rss" doc:"bytes"`
	Callback    *Callback         `json:"callback" doc:"the port on which the server awaits the attempt's words, where the plan has callbacks; null as soon as it is given back"`
}

// Callback is the port on which a server awaits the words of an attempt.
type Callback struct {
	Port   int       `json:"port"`
	State  string    `json:"state" enum:"awaited,connected"`
	Since  time.Time `json:"since" doc:"since when it is in that state"`
	Shared bool      `json:"shared" doc:"it is the plan's rendezvous, which several attempts share"`
}

// CallBack asks a server to call a command back that waits for a run.
type CallBack struct {
	Address     string `json:"address" maxLength:"300" doc:"HOST:PORT at which the command listens; a port of the plan's callback pool for clients"`
	Token       string `json:"token" pattern:"^[0-9a-f]{32,128}$" doc:"one-time, by which the server shows that it was asked"`
	Fingerprint string `json:"fingerprint" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the certificate that the command shows"`
}

// Artifact is a file kept for successors.
type Artifact struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// RunSummary is a run in a list.
type RunSummary struct {
	ID       string     `json:"id"`
	Net      string     `json:"net"`
	Version  int        `json:"version"`
	State    string     `json:"state"`
	Reason   *string    `json:"reason"`
	By       string     `json:"by"`
	HeldBy   *string    `json:"held_by"`
	RerunOf  *string    `json:"rerun_of"`
	Schedule *string    `json:"schedule" doc:"whose occurrence it is; manual: added by hand; null: a person or a program ordered it"`
	Nominal  *time.Time `json:"nominal" doc:"of which instant"`
	Created  time.Time  `json:"created"`
	Started  *time.Time `json:"started"`
	Ended    *time.Time `json:"ended"`
	Jobs     int        `json:"jobs"`
	Done     int        `json:"done"`
}

// RunQuery filters a list of runs; zero values do not filter.
type RunQuery struct {
	Net      string
	Folder   string
	Schedule string // whose occurrences they are
	States   []string
	Since    time.Time
	Until    time.Time
	Before   string // cursor: runs older than this id
	Limit    int    // 0: 50; at most 1000
}

// StartRun orders a run.
type StartRun struct {
	Net     string            `json:"net" minLength:"1" maxLength:"255"`
	Version int               `json:"version,omitempty" minimum:"0" doc:"0 or absent: the newest"`
	Params  map[string]string `json:"params,omitempty"`
	// Key makes the order safe to repeat: the same key gives the same run.
	Key string `json:"key,omitempty" maxLength:"200"`
}

// Decision settles a job whose end is unknown.
type Decision struct {
	As string `json:"as" enum:"succeeded,failed,rerun"`
}

// NetSummary is a net in a list, at its newest version.
type NetSummary struct {
	Name        string      `json:"name"`
	Version     int         `json:"version"`
	Description string      `json:"description"`
	Jobs        int         `json:"jobs"`
	Applied     time.Time   `json:"applied"`
	By          string      `json:"by"`
	LastRun     *RunSummary `json:"last_run"`
}

// Net is one version of a net.
type Net struct {
	Name        string            `json:"name"`
	Version     int               `json:"version"`
	Newest      int               `json:"newest" doc:"the newest version"`
	Hash        string            `json:"hash"`
	Description string            `json:"description"`
	Params      map[string]string `json:"params"`
	Labels      map[string]string `json:"labels"`
	Jobs        []NetJob          `json:"jobs"`
	Text        string            `json:"text" doc:"the canonical written form"`
	Applied     time.Time         `json:"applied"`
	By          string            `json:"by"`
	Versions    []int             `json:"versions" doc:"newest first"`
}

// NetJob is a job of a definition, as far as a picture of the net needs it; Net.Text has all of it.
type NetJob struct {
	Name    string            `json:"name"`
	After   []string          `json:"after"`
	When    string            `json:"when"`
	Command []string          `json:"command"`
	Script  bool              `json:"script"`
	Agent   string            `json:"agent" doc:"name, or empty"`
	Labels  map[string]string `json:"labels" doc:"labels that the agent must have"`
	Agents  []string          `json:"agents" doc:"names of agents, of which one runs it"`
	Select  string            `json:"select" doc:"first or next of agents; empty where there is no list"`
	Needs   []string          `json:"needs" doc:"destinations that must take connections from its agent before an attempt starts"`
}

// Applied says what an apply did, or with dry-run would do, to one net or calendar of the document.
type Applied struct {
	Name        string         `json:"name"`
	Version     int            `json:"version"`
	Change      string         `json:"change" enum:"created,changed,unchanged"`
	Diff        string         `json:"diff" doc:"unified difference of the canonical forms"`
	Occurrences []ScheduleDiff `json:"occurrences" doc:"what changes in the next 13 months, of each schedule that is another one then; a calendar's are those of other nets"`
	Uncompared  int            `json:"uncompared" doc:"schedules that are other ones then too, and were not compared, because they are so many"`
}

// ApplyResult is the answer to an apply: one entry for each net and each calendar, in the order of the documents.
type ApplyResult struct {
	DryRun    bool      `json:"dry_run"`
	Nets      []Applied `json:"nets"`
	Calendars []Applied `json:"calendars"`
}

// Node is a server or an agent.
type Node struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Role       string            `json:"role" enum:"server,agent"`
	Kind       string            `json:"kind" enum:"server,agent,desk" doc:"whose rows of the port plan it uses; desk: an agent on a person's machine, which takes only jobs that name it"`
	Linked     bool              `json:"linked"`
	Labels     map[string]string `json:"labels"`
	Facts      map[string]string `json:"facts"`
	Version    string            `json:"version"`
	Slots      int               `json:"slots"`
	Running    int               `json:"running"`
	Drained    *string           `json:"drained" doc:"who drains it"`
	Disk       *string           `json:"disk" doc:"why it takes no new starts"`
	Address    *string           `json:"address" doc:"where the link comes from"`
	Joined     time.Time         `json:"joined"`
	Seen       *time.Time        `json:"seen"`
	LinkedAt   *time.Time        `json:"linked_since"`
	Expires    *time.Time        `json:"certificate_expires"`
	Renewals   int               `json:"renewals"`
	Recovered  int               `json:"recoveries" doc:"renewals after the certificate had run out"`
	SkewMillis *int64            `json:"clock_skew_ms"`
	PlanHash   *string           `json:"plan_hash"`
	Row        *string           `json:"row" doc:"of the port plan, over which it is linked"`
	DialledBy  *string           `json:"dialled_by" enum:"server,agent" doc:"who dialled the link"`
	Differs    []string          `json:"plan_differs" doc:"how the plan that it was started with differs from the servers': a sentence for each row, with both numbers"`
	Paths      []LinkPath        `json:"paths" doc:"by which its link can come up, in the order of dialling"`
	Notes      []string          `json:"notes" doc:"what a person should know: other plan, clock skew, ..."`
}

// LinkPath is a way by which a node's link can come up, and what is known of it.
type LinkPath struct {
	Row     string     `json:"row" doc:"of the port plan"`
	Port    int        `json:"port" doc:"of the plan"`
	Turn    int        `json:"turn" doc:"place in the order of dialling, from 1"`
	Dials   string     `json:"dials" enum:"server,agent"`
	Address *string    `json:"address" doc:"where it is dialled; null: not known"`
	State   string     `json:"state" enum:"up,resting,in vain,unknown" doc:"resting: another one is up"`
	Since   *time.Time `json:"since" doc:"up or in vain"`
	Rounds  int        `json:"rounds" doc:"dials in vain"`
	Next    *time.Time `json:"next" doc:"when it is dialled again"`
	Why     *string    `json:"why" doc:"it is in vain: who refuses, or after which hop packets are dropped"`
}

// Token is a join token or an API token, without its secret.
type Token struct {
	ID      string            `json:"id"`
	Kind    string            `json:"kind" enum:"agent,api"`
	Name    string            `json:"name"`
	Labels  map[string]string `json:"labels"`
	Scope   []string          `json:"scope"`
	Folder  string            `json:"folder"`
	By      string            `json:"by"`
	Created time.Time         `json:"created"`
	Expires time.Time         `json:"expires"`
	Used    *time.Time        `json:"used"`
	Revoked *time.Time        `json:"revoked"`
	State   string            `json:"state" enum:"valid,used,expired,revoked"`
}

// CreateToken orders a token.
type CreateToken struct {
	Kind      string            `json:"kind" enum:"agent,api"`
	Name      string            `json:"name" minLength:"1" maxLength:"63"`
	Labels    map[string]string `json:"labels,omitempty"`
	Addresses []string          `json:"addresses,omitempty" doc:"agent: where it finds the server, HOST or HOST:PORT; none: the advertised ones"`
	Scope     []string          `json:"scope,omitempty" doc:"api: permissions"`
	Folder    string            `json:"folder,omitempty"`
	TTL       string            `json:"ttl,omitempty" doc:"as 15m, 720h"`
}

// EnrolNode lets the server dial an agent that waits, and make it a node.
type EnrolNode struct {
	Address string            `json:"address" minLength:"1" maxLength:"300" doc:"HOST or HOST:PORT at which the agent waits; without a port the plan's"`
	Code    string            `json:"code" minLength:"1" maxLength:"200" doc:"what reeve agent --enrol printed last"`
	Labels  map[string]string `json:"labels,omitempty"`
	Desk    bool              `json:"desk,omitempty" doc:"it waits with reeve agent --desk --enrol, on a person's machine: servers dial it on the plan's rows of desk agents, and it takes only jobs that name it"`
}

// NewToken is a token with its secret: shown once, stored nowhere.
type NewToken struct {
	Token
	Secret string `json:"secret"`
}

// User is a person, without the password.
type User struct {
	Name        string    `json:"name"`
	FullName    string    `json:"full_name"`
	Permissions []string  `json:"permissions"`
	Folder      string    `json:"folder"`
	Disabled    bool      `json:"disabled"`
	Created     time.Time `json:"created"`
}

// SaveUser creates or changes a user. Absent fields stay as they are.
type SaveUser struct {
	Name        string    `json:"name" minLength:"1" maxLength:"63" pattern:"^[A-Za-z0-9][A-Za-z0-9._@-]*$"`
	FullName    *string   `json:"full_name,omitempty" maxLength:"200"`
	Password    *string   `json:"password,omitempty" minLength:"12" maxLength:"200"`
	Permissions *[]string `json:"permissions,omitempty"`
	Folder      *string   `json:"folder,omitempty"`
	Disabled    *bool     `json:"disabled,omitempty"`
}

// Why is the smallest set of facts that would change what something waits for, or that made it end as it did.
type Why struct {
	Subject string `json:"subject" doc:"RUN or RUN/JOB"`
	State   string `json:"state"`
	Facts   []Fact `json:"facts"`
}

// Fact is one sentence with its reason from the closed list, the thing that it is about and since when it holds.
type Fact struct {
	Job    string     `json:"job,omitempty"`
	Reason string     `json:"reason"`
	Text   string     `json:"text"`
	Since  *time.Time `json:"since"`
	Fix    string     `json:"fix,omitempty"`
}

// Log is a piece of an attempt's output.
type Log struct {
	Job     string    `json:"job"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Stream  string    `json:"stream" enum:"stdout,stderr,gap"`
	Text    string    `json:"text" doc:"as written; bytes that are not UTF-8 are replaced"`
	Bytes   []byte    `json:"bytes,omitempty" doc:"the bytes, where they are not UTF-8"`
	Lost    int64     `json:"lost,omitempty" doc:"of a gap: how many bytes were dropped"`
}

// Missing says in words what a gap stands for; amount is Lost as the reader writes sizes. A keeper's death leaves one
// of which nobody knows the size.
func (l Log) Missing(amount string) string {
	if l.Lost <= 0 {
		return "output may be missing here: the keeper that read it died"
	}
	return amount + " of output were dropped here"
}

// LogQuery asks for output. Job empty: all jobs in order; N 0: the last attempt.
type LogQuery struct {
	Run, Job string
	N        int
	Stream   string // stdout, stderr, or "" both
	Follow   bool   // until the run (or job) has ended and all of its output is there
}

// Change is what live views are told: the thing changed; read it again. Kind is run, node, net or domain.
type Change struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Net  string `json:"net,omitempty"`
	// Of a run: its state and the jobs that changed, so that a view can be drawn without asking.
	State string   `json:"state,omitempty"`
	Jobs  []string `json:"jobs,omitempty"`
}

// DomainInfo is the domain and this server.
type DomainInfo struct {
	Name        string           `json:"name"`
	Epoch       int64            `json:"epoch"`
	Version     string           `json:"version"`
	Held        *string          `json:"held" doc:"why nothing is started"`
	Disk        *string          `json:"disk" doc:"why nothing new is accepted"`
	Started     time.Time        `json:"started"`
	Plan        string           `json:"plan"`
	PlanHash    string           `json:"plan_hash"`
	Instance    int              `json:"instance"`
	Addresses   []string         `json:"addresses" doc:"advertised, HOST:PORT"`
	Fingerprint string           `json:"fingerprint" doc:"SHA-256 of the authority's certificate, hex"`
	Counts      map[string]int   `json:"counts" doc:"of open runs and jobs by state"`
	Sizes       map[string]int64 `json:"sizes" doc:"bytes on disk"`
	Warnings    []string         `json:"warnings"`
}

// AuditRecord is one act.
type AuditRecord struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	From   string    `json:"from"`
	Action string    `json:"action"`
	Object string    `json:"object"`
	Detail string    `json:"detail"`
}

// Door says where a client finds a door.
type Door struct {
	Door string   `json:"door"`
	URLs []string `json:"urls"`
}
