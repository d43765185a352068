interface Example {
  readonly name: string;
  readonly comment: string;
  /** A value that the setting takes. */
  readonly value: string;
}

const database = (user: string) => `mysql://${user}:password@db.internal:3306/downspout?ssl-mode=VERIFY_IDENTITY`;

/** Every setting of a deployment, in groups, with a value for each that would be taken. */
const groups: Readonly<Record<string, readonly Example[]>> = {
  'MySQL, one user for each role. `downspout provision` makes those that are not the administrator': [
    {
      name: 'DATABASE_URL',
      comment: 'Applications and the command line: schedule, edit, cancel, look.',
      value: database('downspout_app'),
    },
    { name: 'WORKER_DATABASE_URL', comment: 'Workers.', value: database('downspout_worker') },
    {
      name: 'OPERATOR_DATABASE_URL',
      comment: "People and supervisors, who deploy and decide; the workers' user unless given.",
      value: database('downspout_operator'),
    },
    {
      name: 'ADMIN_DATABASE_URL',
      comment:
        'May change the schema and create users; only `deploy`, `provision`, `migrate`, `adopt` and `plan` use it.',
      value: database('admin'),
    },
    {
      name: 'CDC_DATABASE_URL',
      comment: "Debezium's user, with host and port as Kafka Connect sees them.",
      value: database('downspout_cdc').replace('VERIFY_IDENTITY', 'REQUIRED'),
    },
  ],
  Kafka: [
    {
      name: 'KAFKA_BROKERS',
      comment: 'host:port, separated by commas.',
      value: 'kafka-1.internal:9093,kafka-2.internal:9093',
    },
    { name: 'KAFKA_SSL', comment: 'true for TLS.', value: 'true' },
    {
      name: 'KAFKA_SSL_CA_FILE',
      comment: "Who signed the brokers' certificates, when it is nobody known: a file in PEM.",
      value: '/run/secrets/kafka-ca.pem',
    },
    {
      name: 'KAFKA_SSL_CERT_FILE',
      comment: 'Our own certificate, where brokers ask for one.',
      value: '/run/secrets/kafka.pem',
    },
    { name: 'KAFKA_SSL_KEY_FILE', comment: 'Its key.', value: '/run/secrets/kafka.key' },
    { name: 'KAFKA_SASL_MECHANISM', comment: 'plain, scram-sha-256 or scram-sha-512.', value: 'scram-sha-512' },
    { name: 'KAFKA_SASL_USERNAME', comment: 'Who we are to Kafka.', value: 'downspout' },
    { name: 'KAFKA_SASL_PASSWORD', comment: 'Its password, or the next one instead.', value: 'password' },
    {
      name: 'KAFKA_SASL_PASSWORD_FILE',
      comment: 'A file that holds the password.',
      value: '/run/secrets/kafka-password',
    },
  ],
  'Kafka Connect, which runs Debezium': [
    {
      name: 'CONNECT_URL',
      comment: 'Its REST interface; it may hold user and password.',
      value: 'https://connect.internal:8083',
    },
    { name: 'CONNECT_USERNAME', comment: 'Counts before the user in the URL.', value: 'downspout' },
    { name: 'CONNECT_PASSWORD', comment: 'Its password, or the next one instead.', value: 'password' },
    {
      name: 'CONNECT_PASSWORD_FILE',
      comment: 'A file that holds the password.',
      value: '/run/secrets/connect-password',
    },
    {
      name: 'CONNECT_CA_FILE',
      comment: "Who signed Connect's certificate, when it is nobody known.",
      value: '/run/secrets/connect-ca.pem',
    },
    {
      name: 'CONNECT_KAFKA_BROKERS',
      comment: 'The brokers as Connect sees them, when they differ.',
      value: 'kafka-1.internal:9093',
    },
    { name: 'CONNECT_KAFKA_USERNAME', comment: "Debezium's own user in Kafka, when it has one.", value: 'debezium' },
    { name: 'CONNECT_KAFKA_PASSWORD', comment: 'Its password, or the next one instead.', value: 'password' },
    {
      name: 'CONNECT_KAFKA_PASSWORD_FILE',
      comment: 'A file that holds the password.',
      value: '/run/secrets/debezium-kafka-password',
    },
    {
      name: 'CONNECT_KAFKA_KEY_REFERENCE',
      comment: 'What Connect is given instead of the key of our certificate for Kafka.',
      value: '${file:/run/secrets/kafka.properties:key}',
    },
    {
      name: 'CONNECT_KAFKA_PASSWORD_REFERENCE',
      comment: "What Connect is given instead of Kafka's password, for its config provider.",
      value: '${env:KAFKA_PASSWORD}',
    },
    {
      name: 'CDC_PASSWORD_REFERENCE',
      comment: 'What Connect is given instead of the password of CDC_DATABASE_URL.',
      value: '${env:CDC_PASSWORD}',
    },
    {
      name: 'CDC_SSL_TRUSTSTORE',
      comment: "Java's key store for Debezium's connection to MySQL: a file as Connect sees it.",
      value: '/etc/debezium/truststore.jks',
    },
    { name: 'CDC_SSL_TRUSTSTORE_PASSWORD', comment: 'Its password.', value: 'password' },
    {
      name: 'CDC_SSL_KEYSTORE',
      comment: "Debezium's own certificate, where MySQL asks for one.",
      value: '/etc/debezium/keystore.jks',
    },
    { name: 'CDC_SSL_KEYSTORE_PASSWORD', comment: 'Its password.', value: 'password' },
  ],
  'This deployment': [
    {
      name: 'DOWNSPOUT_NAMESPACE',
      comment: 'Put before topics and groups, so that several deployments can share one Kafka.',
      value: 'production',
    },
    {
      name: 'DOWNSPOUT_TOPOLOGY',
      comment: 'Where topology.yaml is; the current folder unless given.',
      value: '/etc/downspout/topology.yaml',
    },
    {
      name: 'DOWNSPOUT_ENVIRONMENT',
      comment: 'production merges topology.production.yaml into it.',
      value: 'production',
    },
    {
      name: 'DOWNSPOUT_SECRET_KEY',
      comment:
        "The key of the accounts' secrets: 32 bytes in base64 (openssl rand -base64 32), or the next one instead.",
      value: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    },
    { name: 'DOWNSPOUT_SECRET_KEY_FILE', comment: 'A file that holds the key.', value: '/run/secrets/downspout-key' },
    {
      name: 'DOWNSPOUT_SECRET_KEY_PREVIOUS',
      comment: 'The key before it, until `downspout accounts rekey` has run.',
      value: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    },
    {
      name: 'DOWNSPOUT_SECRET_KEY_PREVIOUS_FILE',
      comment: 'A file that holds it.',
      value: '/run/secrets/downspout-key-before',
    },
    { name: 'LOG_LEVEL', comment: 'trace, debug, info, warn, error or silent.', value: 'info' },
  ],
  'The networks of the senders': [
    {
      name: 'WEBHOOK_ALLOW_PRIVATE_ADDRESSES',
      comment: 'true lets webhooks reach private addresses: for trials.',
      value: 'false',
    },
    {
      name: 'WEBHOOK_ALLOW_NETWORKS',
      comment: 'Networks that they may reach although they are private.',
      value: '10.20.0.0/16',
    },
    { name: 'WEBHOOK_DENY_NETWORKS', comment: 'Networks that they may not reach.', value: '203.0.113.0/24' },
    { name: 'MEDIA_FOLDER', comment: 'Below it messages may name image files.', value: '/srv/media' },
    {
      name: 'EMAIL_ALLOW_PLAIN',
      comment: 'true lets mails travel without encryption to servers elsewhere.',
      value: 'false',
    },
    { name: 'HTTPS_PROXY', comment: 'The proxy for https receivers.', value: 'http://proxy.internal:3128' },
    { name: 'HTTP_PROXY', comment: 'The proxy for http receivers.', value: 'http://proxy.internal:3128' },
    { name: 'NO_PROXY', comment: 'Who is reached without it.', value: 'internal' },
    {
      name: 'DOWNSPOUT_RESOLVER',
      comment: 'The name server; those of the machine unless given.',
      value: '10.0.0.2:53',
    },
  ],
  'What `downspout status` also looks at': [
    { name: 'PROMETHEUS_URL', comment: 'Prometheus.', value: 'http://prometheus.internal:9090' },
    { name: 'GRAFANA_URL', comment: 'Grafana.', value: 'http://grafana.internal:3000' },
    { name: 'KAFKA_UI_URL', comment: 'A page that shows Kafka.', value: 'http://kafka-ui.internal:8080' },
  ],
};

const HEAD = `# Settings of a deployment. Copy this file to .env, take the # away from what you need, and load it:
#   set -a; . ./.env; set +a
# On one machine nothing of it is needed: \`downspout up\` starts a local stack, and every verb finds its settings.
`;

/** The text of `.env.example`. Nothing in it counts until somebody takes the `#` away. */
export function envExample(): string {
  const sections = Object.entries(groups).map(([title, examples]) =>
    [`# --- ${title}.`, ...examples.map(({ name, comment, value }) => `# ${comment}\n#${name}='${value}'`)].join('\n'),
  );
  return [HEAD, ...sections].join('\n').concat('\n');
}
