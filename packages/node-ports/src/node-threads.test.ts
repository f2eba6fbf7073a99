import { runThreadsAcceptance } from "@pleiad/ports/acceptance";
import { nodeThreads } from "./node-threads.ts";

runThreadsAcceptance("node", nodeThreads, (thread) => thread.call({ exit: true }));
