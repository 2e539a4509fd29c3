{{- /* A RADIUS or image server. The common name and the one DNS name are the
       logical name that boards match. To the RSA key of a RADIUS server a
       station may encrypt. */ -}}
{
	"subject": {"commonName": {{ toJson .Subject.CommonName }}},
	"sans": {{ toJson .SANs }},
	"basicConstraints": {"isCA": false},
	"keyUsage": ["digitalSignature"{{ if .Encipherment }}, "keyEncipherment"{{ end }}],
	"extKeyUsage": ["serverAuth"]
}
