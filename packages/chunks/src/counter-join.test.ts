import { describe, expect, it } from "vitest";
import { CounterJoin } from "./counter-join.ts";
import { createSampleColumns, reserveSamples, type SampleColumns } from "./sample-columns.ts";

type Sample = readonly [timestampMs: number, value: number];

function columnsOf(samples: readonly Sample[]): SampleColumns {
  const columns = createSampleColumns(0);
  reserveSamples(columns, samples.length);
  samples.forEach(([timestampMs, value], i) => {
    columns.timestampsMs[i] = timestampMs;
    columns.values[i] = value;
  });
  columns.count = samples.length;
  return columns;
}

function joined(...chunks: readonly (readonly Sample[])[]): Sample[] {
  const join = new CounterJoin();
  const out = createSampleColumns(0);
  for (const chunk of chunks) join.append(columnsOf(chunk), out);
  return Array.from({ length: out.count }, (_, i) => [out.timestampsMs[i] ?? NaN, out.values[i] ?? NaN]);
}

describe("the counter of a series", () => {
  it.each<[string, readonly (readonly Sample[])[], Sample[]]>([
    [
      "a raw counter is as it is",
      [
        [
          [1, 5],
          [2, 7],
          [3, 7],
        ],
      ],
      [
        [1, 5],
        [2, 7],
        [3, 7],
      ],
    ],
    [
      "it goes on from where it was when it is reset",
      [
        [
          [1, 5],
          [2, 3],
          [3, 4],
        ],
      ],
      [
        [1, 5],
        [2, 8],
        [3, 9],
      ],
    ],
    [
      "NaN is left out",
      [
        [
          [1, 5],
          [2, NaN],
          [3, 6],
        ],
      ],
      [
        [1, 5],
        [3, 6],
      ],
    ],
    [
      "the last raw value of a chunk is no sample",
      [
        [
          [1, 5],
          [10, 30],
          [10, 30],
        ],
      ],
      [
        [1, 5],
        [10, 30],
      ],
    ],
    [
      "a chunk that goes on from the last raw value is no reset, though its samples are lower",
      [
        [
          [1, 5],
          [10, 30],
          [10, 12],
        ],
        [
          [11, 13],
          [20, 15],
          [20, 15],
        ],
      ],
      [
        [1, 5],
        [10, 30],
        [11, 31],
        [20, 33],
      ],
    ],
    [
      "a chunk that starts below the last raw value is one",
      [
        [
          [1, 5],
          [10, 30],
          [10, 12],
        ],
        [
          [11, 2],
          [20, 15],
          [20, 15],
        ],
      ],
      [
        [1, 5],
        [10, 30],
        [11, 32],
        [20, 45],
      ],
    ],
    [
      "raw chunks go on after downsampled ones",
      [
        [
          [1, 5],
          [10, 30],
          [10, 12],
        ],
        [
          [11, 14],
          [12, 1],
        ],
      ],
      [
        [1, 5],
        [10, 30],
        [11, 32],
        [12, 33],
      ],
    ],
    [
      "what goes back in time is left out",
      [
        [
          [1, 5],
          [10, 9],
        ],
        [
          [4, 7],
          [12, 10],
        ],
      ],
      [
        [1, 5],
        [10, 9],
        [12, 10],
      ],
    ],
    [
      "a chunk of one sample has it three times",
      [
        [
          [5, 3],
          [5, 3],
          [5, 3],
        ],
      ],
      [[5, 3]],
    ],
    [
      "a counter may start below zero",
      [
        [
          [1, -5],
          [2, -3],
        ],
      ],
      [
        [1, -5],
        [2, -3],
      ],
    ],
  ])("%s", (_, chunks, samples) => {
    expect(joined(...chunks)).toEqual(samples);
  });
});
