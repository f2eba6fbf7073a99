export {
  startStoreGateway,
  statusPath,
  type StoreGateway,
  type StoreGatewayFailure,
  type StoreGatewayOptions,
  type StoreGatewayPorts,
} from "./store-gateway.ts";
