package planfile

import (
	"fmt"
	"strings"
)

const pageHead = `A plan and an inventory are YAML documents (1.2, without anchors and tags, at most 4 MiB); the first key names the kind and
the name, and both may stand in one file. Unknown fields are errors, and all mistakes of a file are told at once with line,
column and an excerpt. For editors: [plan.schema.json](plan.schema.json) and [inventory.schema.json](inventory.schema.json).
Examples: [examples/plans](../../examples/plans).

## Forms

| form | what may stand there |
| --- | --- |
| id | 1 to 63 small letters, digits and hyphens, not beginning with a hyphen |
| variable | letters, digits and underscores, not beginning with a digit |
| text | one line of at most 1000 bytes; numbers, ` + "`true`, `yes`" + ` and the like in quotes |
| number | decimal digits without a leading 0 |
| formula | numbers, variables, ` + "`+ - *`" + ` and brackets: ` + "`7373 + instance`" + `; a family's may use ` + "`offset`" + ` |
| guard | ` + "`NAME`, `!NAME`, or `NAME` with `== != < <= > >=`" + ` and a number; several joined by ` + "`&&`" + `. NAME is a variable, or ` + "`openings.SWITCH`" + ` |
| range | ` + "`FIRST-LAST`" + `, both included, or one number |
| duration | ` + "`120s`, `10m`, `1h30m`" + ` |
| rate | ` + "`0.1667/s`, `20/s`, `10/m`, `5/h`" + ` |
| list | ` + "`[a, b]`" + `; where the entries are words or numbers, a single one may stand without brackets |

## What extends means

A plan that extends another has all that the other has. Entries of services, pools, families, roles, conditions, variables and
local sockets merge by id or name, notes by origin: an entry with a known id changes that one, all others are added behind.
Within an entry the fields that are given replace; a mapping within an entry (` + "`hold`, `capacity`, `services_file`" + ` …) merges
field by field, a list (` + "`flows`, `cases`" + ` …) replaces the whole list. Where a number can be said in several ways (` + "`port`, `family`" + `
with ` + "`offset`, `alternates`" + `; a pool's ` + "`range`" + ` and ` + "`alternates`" + `), the way that is given replaces the others.
`

// Reference returns the body of the page that lists every field of a plan and an inventory, from the tables that read
// them.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(pageHead)
	section(&b, "Plan", "", planTable().docs())
	section(&b, "Inventory", "", inventoryTable().docs())
	return []byte(b.String())
}

// section lists the fields of a mapping, and those of the mappings within it in sections of their own.
func section(b *strings.Builder, title, path string, fields []fieldDoc) {
	fmt.Fprintf(b, "\n## %s\n\n| field | form | meaning | default |\n| --- | --- | --- | --- |\n", title)
	rows(b, "", fields, path != "")
	if path != "" {
		return
	}
	for _, f := range fields {
		if len(f.inner) > 0 {
			section(b, title+": "+f.name, f.name, f.inner)
		}
	}
}

// rows writes one line for each field, and with deep also for the fields within.
func rows(b *strings.Builder, prefix string, fields []fieldDoc, deep bool) {
	for _, f := range fields {
		form, meaning := f.form, f.meaning
		if f.required {
			meaning += " (required)"
		}
		if len(f.inner) > 0 && f.lifted {
			meaning += "; as of a service"
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, f.name, form, meaning, f.def)
		if deep && !f.lifted {
			rows(b, prefix+f.name+".", f.inner, true)
		}
	}
}
