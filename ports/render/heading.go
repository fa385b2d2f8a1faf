package render

// Headings returns the port table's headings in a language, by the names of ports.Columns.
func Headings(locale string) (map[string]string, error) {
	w, err := wordsOf(locale)
	return w.columns, err
}
