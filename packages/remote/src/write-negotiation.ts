/** Which version of remote write a request is of, told by its headers alone: docs/format/remote-write.md. */
import { fail, ok, type Result } from "@pleiad/model";
import type { HttpRequest } from "@pleiad/ports";

export type WriteVersion = "1.0" | "2.0";

/** An answer other than "stored", for the sender's log. */
export interface WriteRefusal {
  readonly status: number;
  readonly reason: string;
}

/** By the `proto` parameter; without one it is 1.0, as senders wrote it before there were two. */
const versions: Readonly<Record<string, WriteVersion>> = {
  "prometheus.writerequest": "1.0",
  "io.prometheus.write.v2.request": "2.0",
};

/** Senders before the first specification named neither type nor encoding: both have their only value then. */
export function negotiateWrite({ method, headers }: HttpRequest): Result<WriteVersion, WriteRefusal> {
  if (method !== "POST") return fail({ status: 405, reason: `method ${method}; remote write is a POST` });
  const encoding = (headers.get("content-encoding") ?? "").trim().toLowerCase();
  if (encoding !== "" && encoding !== "snappy") {
    return fail({ status: 415, reason: `content encoding ${encoding}; read is snappy, in its block format` });
  }
  const contentType = headers.get("content-type") ?? "";
  const [type = "", ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase());
  if (type !== "" && type !== "application/x-protobuf") {
    return fail({ status: 415, reason: `content type ${contentType}; read is application/x-protobuf` });
  }
  const proto = parameters.find((parameter) => parameter.startsWith("proto="))?.slice("proto=".length);
  const version = proto === undefined ? "1.0" : versions[proto.replace(/^"(.*)"$/, "$1")];
  return version === undefined ? fail({ status: 415, reason: `message ${proto}: it is not known` }) : ok(version);
}
