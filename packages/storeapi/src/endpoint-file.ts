/**
 * Files that name the endpoints of a querier, in the two forms that Thanos reads: `endpoints:` with what is to be known of
 * each, and the bare targets of Prometheus's file_sd. Pure.
 */
import { fail, labelsFromRecord, ok, type Result } from "@pleiad/model";
import { rpcCompressions, type ClientTls, type RpcClientOptions, type TlsVersion } from "@pleiad/ports";
import { parse } from "yaml";
import { endpointAddressFault, lookedUpAddress } from "./endpoint-address.ts";
import type { EndpointSpec, ExpectedCluster } from "./endpoint.ts";

/** Checks what a file says; the failure has every problem, by its place. `usual`: of endpoints of which it says no other. */
export function parseEndpoints(
  text: string,
  usual: RpcClientOptions = {},
): Result<readonly EndpointSpec[], readonly string[]> {
  let file: unknown;
  try {
    file = parse(text);
  } catch (error) {
    return fail([error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)]);
  }
  const problems: string[] = [];
  const specs = Array.isArray(file) ? targetsOf(file, usual, problems) : endpointsOf(file ?? {}, usual, problems);
  return problems.length > 0 ? fail(problems) : ok(specs);
}

/** As Thanos says no to it: what a name stands for changes, so none of it can be insisted on. */
export const strictLookup = "a strict endpoint cannot be looked up: name its host and port";

type Fields = Readonly<Record<string, unknown>>;

function endpointsOf(file: unknown, usual: RpcClientOptions, problems: string[]): readonly EndpointSpec[] {
  const fields = recordOf(file, "the file", problems);
  refuseOthers(fields, ["endpoints", "default_client_config"], "", problems);
  const own = connectionOf(fields["default_client_config"], "default_client_config", problems);
  return listOf(fields["endpoints"], "endpoints", problems).map((value, i) =>
    endpointOf(value, `endpoints[${i}]`, own ?? usual, problems),
  );
}

function endpointOf(value: unknown, place: string, usual: RpcClientOptions, problems: string[]): EndpointSpec {
  const fields = recordOf(value, place, problems);
  refuseOthers(fields, ["address", "strict", "group", "client_config", "expects"], `${place}.`, problems);
  const address = addressOf(fields["address"], `${place}.address`, problems);
  // A strict endpoint is asked though it never answered; here each one that does not answer is told in a warning.
  const isLookedUp = lookedUpAddress(address) !== undefined;
  if (booleanOf(fields["strict"], `${place}.strict`, problems) && isLookedUp)
    problems.push(`${place}: ${strictLookup}`);
  const { group } = fields;
  if (group !== undefined && typeof group !== "boolean" && typeof group !== "string") {
    problems.push(`${place}.group: expected true, or the name that replicas share`);
  }
  const named = typeof group === "string" ? group : group === true ? address : undefined;
  if (isLookedUp && named === undefined && listOf(fields["expects"], place, []).length > 0) {
    problems.push(
      `${place}.expects: needs group: true, since each of the addresses would be expected to have them all`,
    );
  }
  const connection = connectionOf(fields["client_config"], `${place}.client_config`, problems) ?? usual;
  return {
    address,
    name: address,
    ...(named === undefined ? {} : { group: named }),
    expects: listOf(fields["expects"], `${place}.expects`, problems).map((one, i) =>
      expectedOf(one, `${place}.expects[${i}]`, problems),
    ),
    connection,
  };
}

/** Which clusters are to be found behind the endpoint: Pleiad's own addition, for answers that name who is missing. */
function expectedOf(value: unknown, place: string, problems: string[]): ExpectedCluster {
  const fields = recordOf(value, place, problems);
  refuseOthers(fields, ["name", "labels"], `${place}.`, problems);
  const texts = Object.entries(recordOf(fields["labels"] ?? {}, `${place}.labels`, problems));
  if (texts.length === 0) problems.push(`${place}.labels: expected the external labels of the cluster`);
  const labels = texts.map(([name, text]) => [name, textOf(text, `${place}.labels.${name}`, problems)] as const);
  return {
    name: textOf(fields["name"], `${place}.name`, problems),
    labels: labelsFromRecord(Object.fromEntries(labels)),
  };
}

function connectionOf(value: unknown, place: string, problems: string[]): RpcClientOptions | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = recordOf(value, place, problems);
  refuseOthers(fields, ["tls_config", "server_name", "compression"], `${place}.`, problems);
  const serverName = optionalText(fields["server_name"], `${place}.server_name`, problems);
  const tls = tlsOf(fields["tls_config"], `${place}.tls_config`, problems);
  const { compression: named = "none" } = fields;
  const compression = rpcCompressions.find((one) => one === named);
  if (compression === undefined && named !== "none") {
    problems.push(`${place}.compression: expected one of none, ${rpcCompressions.join(", ")}`);
  }
  return {
    ...(compression === undefined ? {} : { compression }),
    ...(tls === undefined ? {} : { tls: { ...tls, ...(serverName === undefined ? {} : { serverName }) } }),
  };
}

const tlsFields = ["enabled", "insecure_skip_verify", "cert_file", "key_file", "ca_file", "min_version"];
const tlsVersions: Readonly<Record<string, TlsVersion>> = { "1.2": "1.2", TLS12: "1.2", "1.3": "1.3", TLS13: "1.3" };

function tlsOf(value: unknown, place: string, problems: string[]): ClientTls | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = recordOf(value, place, problems);
  refuseOthers(fields, tlsFields, `${place}.`, problems);
  const text = (name: string) => optionalText(fields[name], `${place}.${name}`, problems);
  const [certFile, keyFile, caFile] = [text("cert_file"), text("key_file"), text("ca_file")];
  if ((certFile === undefined) !== (keyFile === undefined)) {
    problems.push(`${place}: cert_file and key_file go together`);
  }
  const version = text("min_version") ?? "1.3";
  const minVersion = tlsVersions[version];
  if (minVersion === undefined) problems.push(`${place}.min_version: ${version} is not spoken; expected 1.2 or 1.3`);
  const verifiesServer = !booleanOf(fields["insecure_skip_verify"], `${place}.insecure_skip_verify`, problems);
  if (!booleanOf(fields["enabled"], `${place}.enabled`, problems)) return undefined;
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
    verifiesServer,
    minVersion: minVersion ?? "1.3",
  };
}

function targetsOf(
  groups: readonly unknown[],
  connection: RpcClientOptions,
  problems: string[],
): readonly EndpointSpec[] {
  return groups.flatMap((value, i) => {
    const fields = recordOf(value, `[${i}]`, problems);
    refuseOthers(fields, ["targets", "labels"], `[${i}].`, problems); // labels are for scraping: Thanos ignores them too
    return listOf(fields["targets"], `[${i}].targets`, problems).map((target, at) => {
      const address = addressOf(target, `[${i}].targets[${at}]`, problems);
      return { address, name: address, expects: [], connection };
    });
  });
}

function addressOf(value: unknown, place: string, problems: string[]): string {
  const address = textOf(value, place, problems);
  const fault = address === "" ? undefined : endpointAddressFault(address);
  if (fault !== undefined) problems.push(`${place}: ${address}: ${fault}`);
  return address;
}

function textOf(value: unknown, place: string, problems: string[]): string {
  if (typeof value === "string" && value !== "") return value;
  if (typeof value === "number") return String(value);
  problems.push(`${place}: expected a text`);
  return "";
}

const optionalText = (value: unknown, place: string, problems: string[]) =>
  value === undefined || value === null || value === "" ? undefined : textOf(value, place, problems);

function booleanOf(value: unknown, place: string, problems: string[]): boolean {
  if (value !== undefined && typeof value !== "boolean") problems.push(`${place}: expected true or false`);
  return value === true;
}

function listOf(value: unknown, place: string, problems: string[]): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  problems.push(`${place}: expected a list`);
  return [];
}

function recordOf(value: unknown, place: string, problems: string[]): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  problems.push(`${place}: expected fields`);
  return {};
}

function refuseOthers(fields: Fields, known: readonly string[], place: string, problems: string[]): void {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) problems.push(`${place}${name}: is not known; expected one of ${known.join(", ")}`);
  }
}
