package main

import (
	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/ecb"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/sk"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
)

// country is a country with its lists in the source: "" is the country's own.
type country struct {
	code  string
	lists map[string][]*cal.Holiday
}

func countries() []country {
	return []country{
		{"at", map[string][]*cal.Holiday{"": at.Holidays}},
		{"au", map[string][]*cal.Holiday{
			"ACT": au.HolidaysACT,
			"NSW": au.HolidaysNSW,
			"NT":  au.HolidaysNT,
			"QLD": au.HolidaysQLD,
			"SA":  au.HolidaysSA,
			"TAS": au.HolidaysTAS,
			"VIC": au.HolidaysVIC,
			"WA":  au.HolidaysWA,
		}},
		{"be", map[string][]*cal.Holiday{"": be.Holidays}},
		{"bg", map[string][]*cal.Holiday{"": bg.Holidays}},
		{"br", map[string][]*cal.Holiday{"": br.Holidays}},
		{"ca", map[string][]*cal.Holiday{"": ca.Holidays}},
		{"ch", map[string][]*cal.Holiday{
			"ZH": ch.HolidaysZH,
			"BE": ch.HolidaysBE,
			"LU": ch.HolidaysLU,
			"UR": ch.HolidaysUR,
			"SZ": ch.HolidaysSZ,
			"OW": ch.HolidaysOW,
			"NW": ch.HolidaysNW,
			"GL": ch.HolidaysGL,
			"ZG": ch.HolidaysZG,
			"FR": ch.HolidaysFR,
			"SO": ch.HolidaysSO,
			"BS": ch.HolidaysBS,
			"BL": ch.HolidaysBL,
			"SH": ch.HolidaysSH,
			"AR": ch.HolidaysAR,
			"AI": ch.HolidaysAI,
			"SG": ch.HolidaysSG,
			"GR": ch.HolidaysGR,
			"AG": ch.HolidaysAG,
			"TG": ch.HolidaysTG,
			"VD": ch.HolidaysVD,
			"TI": ch.HolidaysTI,
			"VS": ch.HolidaysVS,
			"NE": ch.HolidaysNE,
			"GE": ch.HolidaysGE,
			"JU": ch.HolidaysJU,
		}},
		{"cz", map[string][]*cal.Holiday{"": cz.Holidays}},
		{"de", map[string][]*cal.Holiday{
			"":   de.Holidays,
			"BW": de.HolidaysBW,
			"BY": de.HolidaysBY,
			"BE": de.HolidaysBE,
			"BB": de.HolidaysBB,
			"HB": de.HolidaysHB,
			"HH": de.HolidaysHH,
			"HE": de.HolidaysHE,
			"MV": de.HolidaysMV,
			"NI": de.HolidaysNI,
			"NW": de.HolidaysNW,
			"RP": de.HolidaysRP,
			"SL": de.HolidaysSL,
			"SN": de.HolidaysSN,
			"ST": de.HolidaysST,
			"SH": de.HolidaysSH,
			"TH": de.HolidaysTH,
		}},
		{"dk", map[string][]*cal.Holiday{"": dk.Holidays}},
		{"ecb", map[string][]*cal.Holiday{"": ecb.Holidays}},
		{"es", map[string][]*cal.Holiday{"": es.Holidays}},
		{"fr", map[string][]*cal.Holiday{"": fr.Holidays}},
		{"gb", map[string][]*cal.Holiday{"": gb.Holidays}},
		{"gr", map[string][]*cal.Holiday{"": gr.Holidays}},
		{"hr", map[string][]*cal.Holiday{"": hr.Holidays}},
		{"ie", map[string][]*cal.Holiday{"": ie.Holidays}},
		{"it", map[string][]*cal.Holiday{"": it.Holidays}},
		{"jp", map[string][]*cal.Holiday{"": jp.Holidays}},
		{"lt", map[string][]*cal.Holiday{"": lt.Holidays}},
		{"lv", map[string][]*cal.Holiday{"": lv.Holidays}},
		{"nl", map[string][]*cal.Holiday{"": nl.Holidays}},
		{"no", map[string][]*cal.Holiday{"": no.Holidays}},
		{"nz", map[string][]*cal.Holiday{"": nz.Holidays}},
		{"pl", map[string][]*cal.Holiday{"": pl.Holidays}},
		{"ro", map[string][]*cal.Holiday{"": ro.Holidays}},
		{"se", map[string][]*cal.Holiday{"": se.Holidays}},
		{"si", map[string][]*cal.Holiday{"": si.Holidays}},
		{"sk", map[string][]*cal.Holiday{"": sk.Holidays}},
		{"us", map[string][]*cal.Holiday{"": us.Holidays}},
		{"za", map[string][]*cal.Holiday{"": za.Holidays}},
	}
}
