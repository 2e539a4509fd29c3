{{- /* A RADIUS or image server. The common name and the one DNS name are the
       logical name that boards match. */ -}}
{
	"subject": {"commonName": {{ toJson .Subject.CommonName }}},
	"sans": {{ toJson .SANs }},
	"basicConstraints": {"isCA": false},
	"keyUsage": ["digitalSignature"],
	"extKeyUsage": ["serverAuth"]
}
