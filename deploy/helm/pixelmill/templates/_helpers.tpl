{{- define "pixelmill.name" -}}
{{- printf "%s-pixelmill" .Release.Name | trunc 50 | trimSuffix "-" | replace "pixelmill-pixelmill" "pixelmill" -}}
{{- end -}}

{{- define "pixelmill.selector" -}}
app.kubernetes.io/name: pixelmill
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pixelmill.labels" -}}
{{ include "pixelmill.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What every pod has. Give a dict: root, component, args, env, resources, probes, grace. */}}
{{- define "pixelmill.pod" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "pixelmill.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  annotations:
    checksum/settings: {{ $root.Values.settings | toYaml | sha256sum }}
spec:
  {{- with .restart }}
  restartPolicy: {{ . }}
  {{- end }}
  serviceAccountName: {{ .account | default (include "pixelmill.name" $root) }}
  automountServiceAccountToken: false
  # Kubernetes would set PIXELMILL_PORT=tcp://… for a service of that name.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .grace }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  {{- if .spread }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "pixelmill.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ .component }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}"
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{- toYaml .args | nindent 8 }}
      env:
        {{- range $name, $value := merge (.env | default dict) $root.Values.settings }}
        - name: {{ $name }}
          value: {{ $value | toString | quote }}
        {{- end }}
      envFrom:
        - secretRef: { name: {{ $root.Values.existingSecret }} }
      {{- with .ports }}
      ports: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .probes }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
  volumes:
    # Nothing that must last: records and bytes are in the database and the object store.
    - { name: data, emptyDir: {} }
    - { name: tmp, emptyDir: {} }
{{- end -}}
