export {
  createWriteReceiver,
  defaultWriteReceiver,
  refusalAnswer,
  type WriteReceiver,
  type WriteReceiverOptions,
  type WriteTarget,
} from "./write-receiver.ts";
