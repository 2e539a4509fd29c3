{{- /* The root of one hierarchy. It signs one thing: the issuing CA below it. */ -}}
{
	"subject": {"commonName": {{ toJson .Subject.CommonName }}},
	"basicConstraints": {"isCA": true, "maxPathLen": 1},
	"keyUsage": ["certSign", "crlSign"]
}
