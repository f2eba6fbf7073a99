export {
  defaultReceiver,
  startReceiver,
  type Receiver,
  type ReceiverFailure,
  type ReceiverOptions,
} from "./receiver.ts";
