export { startAgent, type Agent, type AgentFailure, type AgentOptions } from "./agent.ts";
