/** Long kernels in blocks of steps, so that one series over many long windows holds up nothing else in the process. */
import type { Pace } from "./pace.ts";
import type { RangeKernel, SampleWindows } from "./range-kernels.ts";

/** Samples of windows that a kernel may look at without a pause: some milliseconds of work. */
const blockSamplesMax = 200_000;

/** Whether the windows are long and many enough for blocks. */
export function needsBlocks({ starts, ends }: SampleWindows): boolean {
  let samples = 0;
  for (let step = 0; step < starts.length; step++) samples += ends[step] - starts[step];
  return samples > blockSamplesMax;
}

/** What `kernel` gives in one call, in several, with a rest between them where one is due. */
export async function runInBlocks(
  kernel: RangeKernel,
  windows: SampleWindows,
  values: Float64Array,
  present: Uint8Array,
  pace: Pace,
): Promise<boolean> {
  const { starts, ends } = windows;
  let isFound = false;
  for (let from = 0; from < starts.length;) {
    let to = from;
    for (let samples = 0; to < starts.length && (to === from || samples <= blockSamplesMax); to++) {
      samples += ends[to] - starts[to];
    }
    const block = stepsOf(windows, from, to);
    if (kernel(block, values.subarray(from, to), present.subarray(from, to))) isFound = true;
    if (pace.due()) await pace.rest();
    from = to;
  }
  return isFound;
}

function stepsOf(windows: SampleWindows, from: number, to: number): SampleWindows {
  return {
    ...windows,
    starts: windows.starts.subarray(from, to),
    ends: windows.ends.subarray(from, to),
    referencesMs: windows.referencesMs.subarray(from, to),
    stepTimesMs: windows.stepTimesMs.subarray(from, to),
    parameters: windows.parameters.map((parameter) => parameter.subarray(from, to)),
  };
}
