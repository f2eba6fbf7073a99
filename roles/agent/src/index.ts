export type { AgentHttpOptions } from "./agent-http.ts";
export { startAgent, type Agent, type AgentFailure, type AgentFolder, type AgentOptions } from "./agent.ts";
