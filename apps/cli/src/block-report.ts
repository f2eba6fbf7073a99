/** Blocks as people look at them, in a folder or in a bucket. */
import { defaultVerify, formatBlockFailure, verifyBlock, type BlockBytes, type BlockMeta } from "@pleiad/blocks";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { formatSpan, formatTime } from "./quantities.ts";
import { left, right, type Column } from "./table.ts";

/** What every table of blocks begins with. */
export const blockColumns: readonly Column[] = [left("BLOCK"), left("FROM"), right("SPAN"), right("LEVEL")];

export function blockCells({ ulid, minTimeMs, maxTimeMs, compaction }: BlockMeta): readonly string[] {
  return [ulid, formatTime(minTimeMs), formatSpan(maxTimeMs - minTimeMs), String(compaction.level)];
}

/** Reads a block from end to end and prints what is wrong; gives how much that is. */
export async function reportVerification(ulid: string, bytes: BlockBytes): Promise<number> {
  const report = await verifyBlock(bytes, { ...defaultVerify, ulid }, new AbortController().signal);
  if (!report.ok) throw new CommandFailure(exitCodes.failed, formatBlockFailure(report.failure));
  const { findings, untold, stats } = report.value;
  const wrong = findings.length + untold;
  const whole = `whole: ${String(stats.numSeries)} series, ${String(stats.numSamples)} samples`;
  process.stdout.write(`${ulid}  ${wrong === 0 ? whole : `${String(wrong)} findings`}\n`);
  for (const finding of findings) process.stdout.write(`  ${finding}\n`);
  if (untold > 0) process.stdout.write(`  and ${String(untold)} more\n`);
  return wrong;
}
