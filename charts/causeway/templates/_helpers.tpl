{{- define "causeway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "causeway.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "causeway.labels" -}}
{{ include "causeway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "causeway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "causeway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "causeway.subject" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "causeway.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /*
What the operator does in the namespaces that it looks after, and nothing else: docs/security.md says why for each line, and
a test holds the list against the API server's audit log of the lab's whole life.
*/ -}}
{{- define "causeway.rules" -}}
- apiGroups: [causeway.dev]
  resources: [hybridinterconnects]
  verbs: [list, watch, patch]
- apiGroups: [causeway.dev]
  resources: [expressroutelinks, directconnectlinks, vpnpairs]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [causeway.dev]
  resources: [routereports]
  verbs: [get, create]
- apiGroups: [causeway.dev]
  resources: [hybridinterconnects/status, expressroutelinks/status, directconnectlinks/status, vpnpairs/status, routereports/status]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- range .Values.rbac.objectRefs }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources: {{ toJson .resources }}
  verbs: [get]
{{- end }}
{{- end -}}
