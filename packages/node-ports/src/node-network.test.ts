import { runNetworkAcceptance } from "@pleiad/ports/acceptance";
import { silentObservations } from "@pleiad/ports/testing";
import { createNodePorts } from "./node-ports.ts";

runNetworkAcceptance("node", async () => {
  const { clock, network } = createNodePorts({ observations: silentObservations() });
  return {
    network,
    address: "127.0.0.1:0",
    nobodyAddress: "127.0.0.1:1",
    pass: (spanMs) => clock.sleep(spanMs),
    close: async () => {},
  };
});
