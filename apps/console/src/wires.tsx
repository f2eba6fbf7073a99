export interface WiresProps {
  readonly fromCount: number; // boxes in the row above
  readonly toCount: number; // boxes in the row below
  readonly wires: readonly { readonly from: number; readonly to: number }[];
}

/** Lines between two rows of equally wide boxes. */
export function Wires({ fromCount, toCount, wires }: WiresProps) {
  if (fromCount === 0 || toCount === 0 || wires.length === 0) return null;
  const x = (i: number, count: number) => ((i + 0.5) / count) * 1000;
  return (
    <svg class="wires" viewBox="0 0 1000 36" preserveAspectRatio="none" aria-hidden="true">
      {wires.map(({ from, to }) => (
        <path
          key={`${from}-${to}`}
          d={`M ${x(from, fromCount)} 0 C ${x(from, fromCount)} 22, ${x(to, toCount)} 14, ${x(to, toCount)} 36`}
        />
      ))}
    </svg>
  );
}
