{{- /* One board. The common name is its MAC: twelve lower-case hex digits. */ -}}
{
	"subject": {"commonName": {{ toJson .Subject.CommonName }}},
	"basicConstraints": {"isCA": false},
	"keyUsage": ["digitalSignature"],
	"extKeyUsage": ["clientAuth"]
}
