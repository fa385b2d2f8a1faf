package render

// vendorWords are those of the tables in the forms of the built-in plans' pages.
type vendorWords struct{}

func englishVendor() vendorWords  { return vendorWords{} }
func germanVendor() vendorWords   { return vendorWords{} }
func japaneseVendor() vendorWords { return vendorWords{} }
