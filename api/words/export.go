package words

// downloads are the texts about readings that are taken away, and about where points
// come from.
var downloads = map[string]entry{
	"meter.fact.imported": {FR: "Données importées", EN: "Imported data"},
	"meter.imported_span": {FR: "du %s au %s, par %s", EN: "%s to %s, by %s"},

	"export.title":          {FR: "Télécharger les relevés", EN: "Download readings"},
	"export.note":           {FR: "Ce que vous pouvez lire, avec unités, fuseau horaire, qualité et source de chaque ligne. Chaque téléchargement est inscrit au journal.", EN: "What you may read, with units, time zone, quality and the source of each row. Each download is in the audit trail."},
	"export.from":           {FR: "Du", EN: "From"},
	"export.to":             {FR: "au (exclu)", EN: "to (not included)"},
	"export.every":          {FR: "Une ligne par", EN: "One row for each"},
	"export.every.readings": {FR: "relevé", EN: "reading"},
	"export.every.10m":      {FR: "dix minutes", EN: "ten minutes"},
	"export.every.hour":     {FR: "heure", EN: "hour"},
	"export.every.day":      {FR: "jour", EN: "day"},
	"export.format":         {FR: "Format", EN: "Format"},
	"export.format.csv-fr":  {FR: "CSV, tableur français", EN: "CSV, French spreadsheet"},
	"export.format.csv":     {FR: "CSV, international", EN: "CSV, international"},
	"export.format.parquet": {FR: "Parquet", EN: "Parquet"},
	"export.do":             {FR: "Télécharger", EN: "Download"},
}
