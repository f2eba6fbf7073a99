export { startAgent, type Agent, type AgentFailure, type AgentFolder, type AgentOptions } from "./agent.ts";
