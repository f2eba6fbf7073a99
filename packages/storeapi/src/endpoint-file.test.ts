import { formatLabels } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { parseEndpoints } from "./endpoint-file.ts";

const read = (text: string) => {
  const specs = parseEndpoints(text);
  if (!specs.ok) return specs.failure;
  return specs.value.map(({ name: _name, expects, connection = {}, ...spec }) => ({
    ...spec,
    ...(Object.keys(connection).length === 0 ? {} : { connection }),
    ...(expects.length === 0 ? {} : { expects: expects.map(({ name, labels }) => `${name} ${formatLabels(labels)}`) }),
  }));
};

describe("what an endpoint file says", () => {
  for (const [rule, text, specs] of [
    ["nothing", "", []],
    ["no endpoints", "endpoints: []", []],
    [
      "addresses, strict or not",
      "endpoints:\n  - {address: a:10901}\n  - {address: 'b:10901', strict: true}",
      [{ address: "a:10901" }, { address: "b:10901" }],
    ],
    [
      "an address that stands for a group, and replicas that share a name",
      "endpoints: [{address: a:1, group: true}, {address: b:1, group: pair}, {address: c:1, group: pair}, {address: d:1, group: false}]",
      [
        { address: "a:1", group: "a:1" },
        { address: "b:1", group: "pair" },
        { address: "c:1", group: "pair" },
        { address: "d:1" },
      ],
    ],
    [
      "TLS by default, and another one for one endpoint",
      `
default_client_config:
  tls_config: {enabled: true, ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem}
  server_name: thanos
endpoints:
  - address: a:1
  - address: b:1
    client_config: {tls_config: {enabled: true, insecure_skip_verify: true, min_version: "1.2"}, compression: none}
  - address: c:1
    client_config: {tls_config: {enabled: false}}
`,
      [
        {
          address: "a:1",
          connection: {
            tls: {
              caFile: "/ca.pem",
              certFile: "/c.pem",
              keyFile: "/k.pem",
              verifiesServer: true,
              minVersion: "1.3",
              serverName: "thanos",
            },
          },
        },
        { address: "b:1", connection: { tls: { verifiesServer: false, minVersion: "1.2" } } },
        { address: "c:1" },
      ],
    ],
    [
      "lookups, alone and as a group",
      `
endpoints:
  - address: dnssrv+_grpc._tcp.store.svc
  - {address: "dns+store:1", group: true, expects: [{name: c1, labels: {cluster: c1}}]}
`,
      [
        { address: "dnssrv+_grpc._tcp.store.svc" },
        { address: "dns+store:1", group: "dns+store:1", expects: ['c1 {cluster="c1"}'] },
      ],
    ],
    [
      "compression by default, and none for one endpoint",
      `
default_client_config: {compression: snappy}
endpoints: [{address: a:1}, {address: b:1, client_config: {compression: none}}]
`,
      [{ address: "a:1", connection: { compression: "snappy" } }, { address: "b:1" }],
    ],
    [
      "the clusters behind an endpoint",
      "endpoints: [{address: a:1, expects: [{name: c1, labels: {region: r1, cluster: c1}}]}]",
      [{ address: "a:1", expects: ['c1 {cluster="c1", region="r1"}'] }],
    ],
    [
      "targets of Prometheus, in YAML",
      "- targets: ['a:1', 'b:1']\n  labels: {job: store}\n- targets: ['c:1']",
      [{ address: "a:1" }, { address: "b:1" }, { address: "c:1" }],
    ],
    ["targets of Prometheus, in JSON", '[{"targets": ["[::1]:1"]}]', [{ address: "[::1]:1" }]],
  ] as const) {
    it(rule, () => expect(read(text)).toEqual(specs));
  }
});

describe("what is wrong with it, by its place", () => {
  for (const [rule, text, problems] of [
    ["no file of endpoints", "just words", ["the file: expected fields"]],
    [
      "a field that is not known",
      "endpoint: []",
      ["endpoint: is not known; expected one of endpoints, default_client_config"],
    ],
    [
      "no address",
      "endpoints: [{address: store}, {}, {address: a:99999}]",
      [
        "endpoints[0].address: store: expected host:port, such as thanos-store:10901",
        "endpoints[1].address: expected a text",
        "endpoints[2].address: a:99999: expected host:port, such as thanos-store:10901",
      ],
    ],
    [
      "a lookup that is strict, expects clusters of each of its addresses, has no port, or no such way",
      `
endpoints:
  - {address: dns+store:1, strict: true}
  - {address: dns+store:1, expects: [{name: c, labels: {cluster: c}}]}
  - {address: dns+store}
  - {address: dnssrv+_grpc._tcp.store.svc:0}
  - {address: mdns+store:1}
`,
      [
        "endpoints[0]: a strict endpoint cannot be looked up: name its host and port",
        "endpoints[1].expects: needs group: true, since each of the addresses would be expected to have them all",
        "endpoints[2].address: dns+store: a port is missing, such as dns+store:10901",
        "endpoints[3].address: dnssrv+_grpc._tcp.store.svc:0: 0 is no port",
        "endpoints[4].address: mdns+store:1: expected host:port, such as thanos-store:10901",
      ],
    ],
    [
      "a retry policy of gRPC",
      "endpoints: [{address: a:1, service_config: '{}'}]",
      ["endpoints[0].service_config: is not known; expected one of address, strict, group, client_config, expects"],
    ],
    [
      "half a certificate, an old version, an unknown compression",
      "default_client_config: {compression: zstd, tls_config: {enabled: true, cert_file: /c.pem, min_version: '1.1'}}",
      [
        "default_client_config.tls_config: cert_file and key_file go together",
        "default_client_config.tls_config.min_version: 1.1 is not spoken; expected 1.2 or 1.3",
        "default_client_config.compression: expected one of none, gzip, snappy",
      ],
    ],
    [
      "a target that is none",
      "- targets: [store]",
      ["[0].targets[0]: store: expected host:port, such as thanos-store:10901"],
    ],
  ] as const) {
    it(rule, () => expect(read(text)).toEqual(problems));
  }

  it("is YAML that does not parse", () => expect(read("endpoints: [")[0]).toMatch(/^Flow sequence/));
});
