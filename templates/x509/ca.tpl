{{- /* An issuing CA. It signs certificates of one use, CRLs, and the certificate
       of an OCSP responder; never another CA. */ -}}
{
	"subject": {"commonName": {{ toJson .Subject.CommonName }}},
	"basicConstraints": {"isCA": true, "maxPathLen": 0},
	"keyUsage": ["certSign", "crlSign"],
	"extKeyUsage": [{{ toJson .Use }}, "ocspSigning"]
}
