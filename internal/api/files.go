package api

import (
	"bytes"
	"net/url"
	"strconv"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// File is a file of definitions.
type File struct {
	Name string // what mistakes call it
	Text []byte
}

// FileNames says which files a body has, one behind the other. Routes embed it.
type FileNames struct {
	Name []string `query:"name,explode" maxItems:"1000" doc:"what mistakes call the file; of several one for each"`
	Size []int    `query:"size,explode" maxItems:"1000" doc:"of several files that stand in the body one behind the other: how many bytes each has"`
}

func (n *FileNames) files(body []byte) ([]File, error) {
	body = bytes.Clone(body) // huma uses the buffer again for the next request
	if len(n.Size) == 0 && len(n.Name) < 2 {
		name := "-"
		if len(n.Name) == 1 && n.Name[0] != "" {
			name = n.Name[0]
		}
		return []File{{name, body}}, nil
	}
	if len(n.Size) != len(n.Name) {
		return nil, fault.New(fault.Invalid, "there are "+strconv.Itoa(len(n.Name))+" names of files, and "+strconv.Itoa(len(n.Size))+" sizes", "give name and size of each file")
	}
	files := make([]File, len(n.Name))
	for i, size := range n.Size {
		if size < 0 || size > len(body) {
			return nil, fault.New(fault.Invalid, "the files are together longer than the body", "size is how many bytes a file has")
		}
		files[i], body = File{n.Name[i], body[:size:size]}, body[size:]
	}
	if len(body) > 0 {
		return nil, fault.New(fault.Invalid, "the body is longer than the files together", "size is how many bytes a file has")
	}
	return files, nil
}

// joined is the query and the body of a request with one or several files.
func joined(first File, more []File) (url.Values, []byte, error) {
	query, body := url.Values{"name": {first.Name}}, append([]byte{}, first.Text...)
	if len(more) > 0 {
		query.Set("size", strconv.Itoa(len(first.Text)))
	}
	for _, f := range more {
		query.Add("name", f.Name)
		query.Add("size", strconv.Itoa(len(f.Text)))
		body = append(body, f.Text...)
	}
	switch {
	case len(body) <= maxDefinition:
		return query, body, nil
	case len(more) == 0:
		return nil, nil, fault.Newf(fault.Invalid, "%s is longer than 4 MiB", first.Name)
	}
	return nil, nil, fault.New(fault.Invalid, "the files are together longer than 4 MiB", "use one command for each part of them, calendars first")
}
