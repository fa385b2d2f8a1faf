package builtin

// Source returns the text of a built-in plan's file, by the file's name as places have it: "default.yaml".
func Source(file string) ([]byte, bool) {
	text, err := files.ReadFile(file)
	return text, err == nil
}
