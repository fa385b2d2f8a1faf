package render

import (
	"fmt"
	"html"
	"strings"
)

// pageStyle reads well on a screen, on a narrow one (where rows become cards) and on paper.
const pageStyle = `:root{color-scheme:light dark;--line:#c9cfd6;--soft:#f3f5f7;--ink:#1d232b;--paper:#fff}
@media (prefers-color-scheme:dark){:root{--line:#3a424c;--soft:#1e2329;--ink:#e4e7eb;--paper:#15181d}}
body{margin:0 auto;padding:1.5rem;max-width:110rem;color:var(--ink);background:var(--paper);font:15px/1.45 system-ui,"Segoe UI","Helvetica Neue",Arial,"Noto Sans","Noto Sans CJK JP",IPAGothic,sans-serif}
h1{font-size:1.5rem;margin:0 0 .75rem}h2{font-size:1.15rem;margin:2rem 0 .6rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0}dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:start;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
th{background:var(--soft)}td{overflow-wrap:break-word}tbody tr:nth-child(even){background:var(--soft)}
.list dt{font-variant-numeric:tabular-nums}
@media screen and (max-width:55rem){body{padding:1rem}thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,td{display:block}tr{border:1px solid var(--line);border-radius:.4rem;margin:0 0 .75rem;padding:.3rem 0}
td{border:0;padding:.15rem .7rem;display:grid;grid-template-columns:9rem 1fr;gap:.6rem}td:empty{display:none}td::before{content:attr(data-label);font-weight:600}}
@page{size:A4 landscape;margin:12mm}
@media print{:root{--line:#999;--soft:#eee;--ink:#000;--paper:#fff}body{padding:0;max-width:none;font-size:7pt}.wide{overflow:visible}
h2{break-after:avoid}thead{display:table-header-group}tr{break-inside:avoid}th,td{padding:.15rem .25rem;overflow-wrap:anywhere}}`

// html writes the document as one complete page, without any script.
func (p paper) html(w words) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<!doctype html>
<html lang="%s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>%s</title>
<style>
%s
</style>
</head>
<body>
<header>
<h1>%s</h1>
<dl>
`, w.lang, htmlText(p.title), pageStyle, htmlText(p.title))
	for _, m := range p.meta {
		fmt.Fprintf(&b, "<dt>%s</dt><dd>%s</dd>\n", htmlText(m[0]), htmlText(m[1]))
	}
	b.WriteString("</dl>\n</header>\n<main>\n")
	for _, s := range p.sheets {
		s.html(&b)
	}
	b.WriteString("</main>\n</body>\n</html>\n")
	return []byte(b.String())
}

func (s sheet) html(b *strings.Builder) {
	b.WriteString("<section>\n")
	if s.title != "" {
		fmt.Fprintf(b, "<h2>%s</h2>\n", htmlText(s.title))
	}
	for _, text := range s.lead {
		fmt.Fprintf(b, "<p>%s</p>\n", htmlText(text))
	}
	if len(s.heads) > 0 {
		s.htmlTable(b)
	}
	if len(s.list) > 0 {
		b.WriteString("<dl class=\"list\">\n")
		for _, e := range s.list {
			fmt.Fprintf(b, "<dt>%s</dt><dd>%s</dd>\n", htmlText(e.mark), htmlText(e.text))
		}
		b.WriteString("</dl>\n")
	}
	b.WriteString("</section>\n")
}

func (s sheet) htmlTable(b *strings.Builder) {
	b.WriteString("<div class=\"wide\">\n<table>\n<thead><tr>")
	for _, h := range s.heads {
		fmt.Fprintf(b, `<th scope="col">%s</th>`, htmlText(h))
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, row := range s.rows {
		b.WriteString("<tr>")
		for col, cell := range row {
			fmt.Fprintf(b, `<td data-label="%s">%s</td>`, htmlText(s.heads[col]), htmlText(cell))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table>\n</div>\n")
}

// htmlText escapes a text. Line breaks stay, characters that a page may not hold do not.
func htmlText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
	return strings.ReplaceAll(html.EscapeString(s), "\n", "<br>")
}
