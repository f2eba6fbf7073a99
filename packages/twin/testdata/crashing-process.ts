/** A process that does as its name says: `ready`, `refuses` to start, or `crashes` a moment after it is ready. */
process.on("message", (order: { kind: string; process?: string }) => {
  if (order.kind === "stop") process.exit(0);
  if (order.process === "refuses") {
    process.send?.({ kind: "failed", message: "127.0.0.1:1: permission denied" }, undefined, {}, () => process.exit(1));
    return;
  }
  process.send?.({ kind: "progress", what: "clusters", done: 1, total: 2 });
  process.send?.({ kind: "ready" });
  process.send?.({ kind: "report", residentBytes: 1, roles: [{ id: "x", ready: true }] });
  if (order.process === "crashes") setTimeout(() => process.exit(3), 20);
});
process.on("disconnect", () => process.exit(0));
