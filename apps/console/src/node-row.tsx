import type { MonitorNode, Role, RoleState } from "./api.ts";

const stateText: Readonly<Record<RoleState, string>> = {
  ready: "ready",
  "not-ready": "not ready",
  down: "down",
  "not-yet-running": "planned, not yet running",
};

export function NodeRow({ title, nodes }: { readonly title: string; readonly nodes: readonly MonitorNode[] }) {
  if (nodes.length === 0) return null;
  return (
    <>
      <h2>{title}</h2>
      <div class="row" style={{ gridTemplateColumns: `repeat(${nodes.length}, minmax(0, 1fr))` }}>
        {nodes.map((node) => (
          <NodeBox key={node.name} node={node} />
        ))}
      </div>
    </>
  );
}

function NodeBox({ node }: { readonly node: MonitorNode }) {
  return (
    <article class="node" data-node={node.name}>
      <h3>{node.name}</h3>
      <Budget title="CPU" used={node.cpuMillicoresUsed / 1000} of={node.cpuMillicores / 1000} unit="cores" />
      <Budget title="Memory" used={node.memoryBytesUsed / 2 ** 30} of={node.memoryBytes / 2 ** 30} unit="GiB" />
      <ul>
        {node.roles.map((role) => (
          <RoleLine key={role.id} role={role} />
        ))}
      </ul>
    </article>
  );
}

interface BudgetProps {
  readonly title: string;
  readonly used: number;
  readonly of: number;
  readonly unit: string;
}

function Budget({ title, used, of, unit }: BudgetProps) {
  return (
    <div class="budget">
      <span>{title}</span>
      <meter min={0} max={of} value={used} high={of * 0.9} title={`${used} of ${of} ${unit} planned`} />
      <span>
        {used}/{of}
      </span>
    </div>
  );
}

function RoleLine({ role }: { readonly role: Role }) {
  const text = stateText[role.state];
  return (
    <li
      data-role={role.id}
      data-state={role.state}
      title={role.reason === undefined ? text : `${text}: ${role.reason}`}
    >
      <span class={`dot ${role.state}`} aria-hidden="true" />
      <span class="role-name">{role.id}</span>
      {role.state !== "ready" && <span class="role-state">{text}</span>}
      {role.activity !== undefined && <span class="role-state">{role.activity}</span>}
    </li>
  );
}
