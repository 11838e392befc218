/* Texts that belong to no command: `signalbox help TOPIC` and the manual's sections are made of them. */
#include "cli/cli.h"

const struct topic topics[] = {
    {"addresses", "ADDRESSES",
     "An address is ENDPOINT/CHANNEL, where ENDPOINT is a name from the configuration or a URL. A channel may carry its\n"
     "kind (queue: topic: exchange: stream:), needed only where a name is ambiguous or begins like one;\n"
     "`signalbox ls` prints it then. Names are percent-encoded in URLs, where %3A is a colon of the name.\n"
     "\n"
     "  orders-kafka/orders                     a channel of a configured endpoint\n"
     "  kafka://HOST:PORT,HOST:PORT/TOPIC       Kafka; kafkas:// with TLS\n"
     "  rabbitmq://USER@HOST:PORT/VHOST/QUEUE   RabbitMQ; rabbitmqs:// with TLS; the vhost / is %2f\n"
     "  http://HOST/PATH  https://  tcp://      for probe alone\n"
     "  memory:/CHANNEL                         the demo's broker, inside this process\n"
     "\n"
     "Behind a broker's URL ?ca=FILE names the authorities of its TLS form, ?management=URL RabbitMQ's management API. The\n"
     "query of an http or https URL is its server's: such a probe has its `tls: {ca: FILE}` in the configuration. Secrets\n"
     "come from the configuration; for an endpoint given by URL from SIGNALBOX_PASSWORD; never from the command line.\n"},
    {"filter", "FILTER LANGUAGE",
     "  expr := and (\"|\" and)*     and := term+\n"
     "  term := \"!\"? ( word | 'exact' | /regex/ | field op value | \"(\" expr \")\" )\n"
     "  op := = != ~ !~ < <= > >=  value := word | 'exact' | /regex/\n"
     "\n"
     "A term is a field test only if it starts with a known field; else it is a word (smart-case substring). Units: 10k\n"
     "2MiB 250ms 5m 1h. Fields: endpoint channel(src) partition(part) position offset(off) id key time(ts) age size\n"
     "format(fmt) type redelivered dup flags headers.NAME(hdr) properties.NAME body.PATH.TO[*].X dlq.reason; of lists:\n"
     "name kind state depth lag p95 age tag. A channel may be written ENDPOINT/CHANNEL; the format of a null payload is\n"
     "null. `=` (or ==) compares as numbers when both sides are, else as text, words of a fixed set (state kind tag format\n"
     "flags) without case; a missing field makes every test false except != !~ and !. White space may surround an operator.\n"
     "\n"
     "body.PATH looks into gzip, zstd and base64 too, to the end, and there into strings that hold JSON; in plain JSON a\n"
     "string is a string. What is damaged, or more than 24 MiB unpacked, is neither taken nor passed over unsaid: it could\n"
     "not be judged, and is counted. A member whose name has a dot, a blank or a bracket stands in double quotes, within\n"
     "single ones for the shell: 'body.\"k.z\"=5', 'body.a.\"k.z\"[0]>1'.\n"
     "\n"
     "  headers.x-tenant=acme body.order.total>100 age<15m !test\n"},
    {"redact", "WHAT REDACT HIDES",
     "The rules of the configuration's `redact` hold for every message before anything shows, searches or writes it;\n"
     "archives (.sba) alone keep what they hide.\n"
     "\n"
     "  redact: [{field: password}, {field: card.*}, {header: authorization}, {regex: '\\b\\d{16}\\b'}]\n"
     "\n"
     "field names a field of JSON in key or payload by its path or the end of it, wherever it stands: whole names, in the\n"
     "case that is written, * and ? for any characters, indexes left out. Its value becomes \"[redacted]\". Several values in\n"
     "one message are read one by one, also behind a number (a length) or a record separator, and so is JSON behind a schema\n"
     "registry's frame (Confluent's 5 bytes, AWS Glue's 18 where it is not compressed), wrapped or not. Strings are looked\n"
     "into as `unwrap` does (JSON, base64, gzip, zstd), and a string that has such a field in it is hidden as a whole, not\n"
     "the field alone; a compressed payload, or one in base64, too. So is what cannot be read to its end and may have it:\n"
     "text that begins like JSON and has the name in it, base64 of JSON that breaks off (a JWT, too), what lies more than 8\n"
     "layers deep, and strings that are too much to unpack.\n"
     "header names headers and properties in any case; field looks into no header's value. regex hides what it matches in\n"
     "payload, key, id, headers and properties, and inside of what is wrapped as field does. Text that begins like JSON and\n"
     "cannot be read to its end is hidden as a whole where it matches once its escapes are resolved (\\u0034 is 4).\n"
     "\n"
     "Why is this hidden? The rule {field: token} hides the line `[INFO] token refreshed` as a whole: [ begins like JSON,\n"
     "which breaks off, and token stands in it. Of a longer path the longest part counts: number of card.number.\n"
     "\n"
     "Not looked into for fields: form data (password=x), XML, YAML, UTF-16, data: URLs, zlib and other compressions, a JWT\n"
     "behind `Bearer `, and JSON behind other text.\n"},
    {"output", "OUTPUT",
     "Data go to stdout, messages and progress to stderr. --json is one object, or one a line for streams; a byte string is\n"
     "{\"text\":...} where it is UTF-8, else {\"base64\":...}; null and empty differ; integers beyond 2^53 are strings.\n"
     "Times are RFC 3339 in UTC, but for AMQP's type timestamp (the property of that name, and headers): that is its whole\n"
     "seconds since 1970. What is read back may have either form.\n"
     "--plain is one scrubbed line: time, channel, position, key, size, payload between tabs, with \\t \\n \\r \\\\ \\xNN\n"
     "escapes and null as \\N. \\xNN is one byte: of a control, of what is no UTF-8, of what turns text round or has no\n"
     "width (U+202E is \\xe2\\x80\\xae); taken back they give the bytes that were sent. --format takes\n"
     "%{field} with the filter's names, written the same, %{field:raw} for the bytes as they are, and \\t \\n \\\\ %%. Streams\n"
     "flush when the source pauses, at the latest 100 ms after a message; a closed pipe ends quietly.\n"},
    {"changes", "CHANGES",
     "Everything that changes a broker is a dry run until --execute: it looks up the destination and fails as the change\n"
     "would, without any effect. RabbitMQ is asked whether the login may write there, and make what --create names; what\n"
     "it allows by topic is found on the way. Where its management API tells that nothing is bound to an exchange, or to a\n"
     "direct one with that key, it says that the broker would return the message. --execute is all that an endpoint given by\n"
     "URL needs. A configured one also needs `write: true` or --write; one marked production --confirm ENDPOINT/CHANNEL too,\n"
     "of a source that messages are taken off as well: --confirm may be repeated.\n"
     "Else the exit code is 7 and nothing has happened.\n"
     "\n"
     "--timeout is for all of it: what is not confirmed by then is given up and counted. The exit code is 6 where some of it\n"
     "was confirmed or may have arrived, so that sending all again would send that twice; 8 where nothing was sent.\n"
     "\n"
     "An operation (copy dedupe move purge replay resend restore resume) begins no more messages then, and what is on its way\n"
     "comes to its end, within ten seconds. The exit code is 8; `signalbox resume ID` goes on from there, and of what is\n"
     "archived the same command takes the rest.\n"},
    {NULL, NULL, NULL},
};

const char *exit_text(int code)
{
    switch (code) {
    case 0: return "done";
    case 1: return "failed";
    case 2: return "usage or configuration";
    case 3: return "down or threshold crossed";
    case 4: return "nothing matched";
    case 5: return "authentication or permission";
    case 6: return "partial";
    case 7: return "refused for safety";
    case 8: return "timed out";
    case 130: return "interrupted";
    case 143: return "terminated";
    default: return "";
    }
}
