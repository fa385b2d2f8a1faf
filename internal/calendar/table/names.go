package table

// countryNames are the names of the seeds' countries by their code (ISO 3166-1); ECB is the European Central Bank's T2 calendar.
func countryNames() map[string]string {
	return map[string]string{
		"AT": "Austria", "AU": "Australia", "BE": "Belgium", "BG": "Bulgaria", "BR": "Brazil", "CA": "Canada", "CH": "Switzerland", "CZ": "Czechia",
		"DE": "Germany", "DK": "Denmark", "ECB": "the European Central Bank (T2)", "ES": "Spain", "FR": "France", "GB": "England and Wales", "GR": "Greece",
		"HR": "Croatia", "IE": "Ireland", "IT": "Italy", "JP": "Japan", "LT": "Lithuania", "LV": "Latvia", "NL": "the Netherlands", "NO": "Norway",
		"NZ": "New Zealand", "PL": "Poland", "RO": "Romania", "SE": "Sweden", "SI": "Slovenia", "SK": "Slovakia", "US": "the United States (federal)",
		"ZA": "South Africa",
	}
}

// regionName is the name of a region of a country (ISO 3166-2); its code where there is none.
func regionName(country, code string) string {
	names := map[string]map[string]string{
		"AU": {
			"ACT": "Australian Capital Territory", "NSW": "New South Wales", "NT": "Northern Territory", "QLD": "Queensland", "SA": "South Australia",
			"TAS": "Tasmania", "VIC": "Victoria", "WA": "Western Australia",
		},
		"CH": {
			"AG": "Aargau", "AI": "Appenzell Innerrhoden", "AR": "Appenzell Ausserrhoden", "BE": "Bern", "BL": "Basel-Landschaft", "BS": "Basel-Stadt",
			"FR": "Fribourg", "GE": "Geneva", "GL": "Glarus", "GR": "Graubünden", "JU": "Jura", "LU": "Lucerne", "NE": "Neuchâtel", "NW": "Nidwalden",
			"OW": "Obwalden", "SG": "St. Gallen", "SH": "Schaffhausen", "SO": "Solothurn", "SZ": "Schwyz", "TG": "Thurgau", "TI": "Ticino", "UR": "Uri",
			"VD": "Vaud", "VS": "Valais", "ZG": "Zug", "ZH": "Zurich",
		},
		"DE": {
			"BB": "Brandenburg", "BE": "Berlin", "BW": "Baden-Württemberg", "BY": "Bavaria", "HB": "Bremen", "HE": "Hesse", "HH": "Hamburg",
			"MV": "Mecklenburg-Western Pomerania", "NI": "Lower Saxony", "NW": "North Rhine-Westphalia", "RP": "Rhineland-Palatinate", "SH": "Schleswig-Holstein",
			"SL": "Saarland", "SN": "Saxony", "ST": "Saxony-Anhalt", "TH": "Thuringia",
		},
	}
	if name, ok := names[country][code]; ok {
		return name
	}
	return code
}
