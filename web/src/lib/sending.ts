export interface Way {
  id: string
  title: string
  text: string
  lines: string
}

/** How records are sent to a source, by protocol, with this server's address in the lines. `origin` is `https://host[:port]`. */
export function waysToSend(source: string, origin: string, mapped: boolean): Way[] {
  const at = new URL(origin)
  const tls = at.protocol === 'https:'
  const port = at.port || (tls ? '443' : '80')
  const query = mapped ? `?source=${source}` : ''
  return [
    {
      id: 'http',
      title: 'HTTP',
      text: 'One record, an array, or one record a line. 200 says that it is on disk.',
      lines: `curl "${origin}/api/v1/events${query}" \\\n  -H "Authorization: Bearer $BELFRY_TOKEN" \\\n  -H "Idempotency-Key: $(uuidgen)" \\\n  --data-binary @records.log`,
    },
    {
      id: 'cli',
      title: 'Command line',
      text: 'Sends a file or what comes on standard input, and says what was accepted.',
      lines: `export BELFRY_URL=${origin} BELFRY_TOKEN=…\nbelfry send${mapped ? ` --source ${source}` : ''} records.log\ntail -F records.log | belfry send${mapped ? ` --source ${source}` : ''}`,
    },
    {
      id: 'syslog',
      title: 'Syslog',
      text: 'RFC 5424 or 3164 over TCP, to the port that belfry.toml names under [syslog]. For rsyslog, in /etc/rsyslog.d/60-belfry.conf:',
      lines: `*.* action(type="omfwd" target="${at.hostname}" port="5514" protocol="tcp"\n  TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"\n  action.resumeRetryCount="-1" queue.type="LinkedList"\n  queue.filename="belfry" queue.saveOnShutdown="on")`,
    },
    {
      id: 'hec',
      title: 'Splunk HEC',
      text: 'What sends to Splunk\'s HTTP Event Collector sends here. For Vector:',
      lines: `[sinks.belfry]\ntype = "splunk_hec_logs"\ninputs = ["${source}"]\nendpoint = "${origin}"\ndefault_token = "$BELFRY_TOKEN"\nsourcetype = "${source}"\nencoding.codec = "json"`,
    },
    {
      id: 'otlp',
      title: 'OpenTelemetry',
      text: 'Logs by OTLP, over HTTP or gRPC. For the collector:',
      lines: `exporters:\n  otlphttp/belfry:\n    endpoint: ${origin}\n    headers: { authorization: "Bearer \${env:BELFRY_TOKEN}", belfry-source: ${source} }`,
    },
    {
      id: 'elastic',
      title: 'Elasticsearch',
      text: 'What writes to Elasticsearch writes here: Beats, Logstash, Fluent Bit. For Filebeat:',
      lines: `output.elasticsearch:\n  hosts: ["${at.protocol}//${at.hostname}:${port}/elastic"]\n  username: belfry\n  password: \${BELFRY_TOKEN}\n  index: ${source}\nsetup.template.enabled: false\nsetup.ilm.enabled: false`,
    },
    {
      id: 'cloudevents',
      title: 'CloudEvents',
      text: 'Structured, binary and in batches.',
      lines: `curl "${origin}/api/v1/cloudevents${query}" \\\n  -H "Authorization: Bearer $BELFRY_TOKEN" \\\n  -H "Content-Type: application/cloudevents+json" \\\n  -d '{"specversion":"1.0","id":"1","source":"/${source}","type":"com.example.tried","data":{"user":"ada"}}'`,
    },
  ]
}
