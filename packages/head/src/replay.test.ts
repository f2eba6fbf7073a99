import { ByteReader, ByteWriter } from "@pleiad/chunks";
import { zstdCompressSync } from "node:zlib";
import { testPorts } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { appendAll, dump, named, openTestHead, startMs } from "./head.fixtures.ts";
import { framedBytes, frameRecord, pageBytes, SegmentReader } from "./wal-segment.ts";

const recordsOf = (segment: Uint8Array) => {
  const reader = new SegmentReader(segment);
  const records: Uint8Array[] = [];
  while (reader.next()) records.push(reader.record.slice(reader.from, reader.to));
  const { damage, goodBytes, damagedRecords, firstDamage } = reader;
  return { records, damage, goodBytes, damagedRecords, firstDamage };
};

const framed = (records: readonly Uint8Array[]) => {
  const out = new ByteWriter();
  for (const record of records) frameRecord(out, 0, record, 0, record.length);
  return out.view().slice();
};

describe("segments of the log", () => {
  const lengths = fc.oneof(
    fc.integer({ min: 1, max: 200 }),
    fc.integer({ min: pageBytes - 20, max: pageBytes + 20 }),
    fc.integer({ min: 1, max: 3 * pageBytes }),
  );

  it("give back every record, whatever pages it lies across", () => {
    fc.assert(
      fc.property(fc.array(lengths, { maxLength: 8 }), (sizes) => {
        const records = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
        const segment = framed(records);
        let expected = 0;
        for (const record of records) expected += framedBytes(expected, record.length);
        expect(segment.length).toBe(expected);
        expect(recordsOf(segment)).toMatchObject({ records, damage: undefined, goodBytes: segment.length });
      }),
      { numRuns: 15 },
    );
  });

  it("give back a record that begins where a page has room for a header alone", () => {
    for (let room = 0; room <= 20; room++) {
      const records = [new Uint8Array(pageBytes - 7 - room).fill(1), Uint8Array.of(2, 3), Uint8Array.of(4)];
      expect(recordsOf(framed(records))).toMatchObject({ records, damage: undefined, damagedRecords: 0 });
    }
  });

  it("cut at any byte give the records before the cut, and keep those only", () => {
    const records = [Uint8Array.of(1, 2, 3), Uint8Array.of(4), new Uint8Array(50).fill(7)];
    const ends = records.map((_, i) => framed(records.slice(0, i + 1)).length);
    const segment = framed(records);
    for (let length = 0; length < segment.length; length++) {
      const whole = ends.filter((end) => end <= length).length;
      const end = ends[whole - 1] ?? 0;
      const read = recordsOf(segment.slice(0, length));
      expect(read.records).toEqual(records.slice(0, whole));
      expect(read.goodBytes).toBe(end);
      expect(read.damage === undefined).toBe(length === end);
    }
  });

  it("with a tail of zeros end where the zeros begin", () => {
    const records = [Uint8Array.of(1, 2, 3)];
    const segment = new Uint8Array(2 * pageBytes + 17);
    segment.set(framed(records));
    expect(recordsOf(segment)).toMatchObject({ records, damage: undefined, goodBytes: 10 });
  });

  it.each([
    ["bytes after the end of a page", (segment: Uint8Array) => segment.set([0, 0, 1], 10)],
    ["a fragment of unknown type 5", (segment: Uint8Array) => segment.set([5], 10)],
    ["a fragment of unknown type 33", (segment: Uint8Array) => segment.set([33], 10)],
    ["a fragment is cut short", (segment: Uint8Array) => segment.set([1, 255, 255], 10)],
    ["a fragment's checksum does not fit", (segment: Uint8Array) => segment.set([1, 0, 1], 10)],
    ["a record has no beginning", (segment: Uint8Array) => segment.set([4, 0, 0, 0, 0, 0, 0], 10)],
    ["a record has no end", (segment: Uint8Array) => segment.set([2, 0, 0, 0, 0, 0, 0, 1], 10)],
  ])("name their damage: %s", (damage, harm) => {
    const segment = new Uint8Array(40);
    segment.set(framed([Uint8Array.of(1, 2, 3)]));
    harm(segment);
    if (damage === "a record has no end") segment.set(framed([Uint8Array.of(9)]), 17);
    expect(recordsOf(segment)).toMatchObject({ damage, goodBytes: 10, records: [Uint8Array.of(1, 2, 3)] });
  });

  for (const [compression, flag, compress] of [
    ["snappy", 0x08, snappyLiteral],
    ["zstd", 0x10, (record: Uint8Array) => new Uint8Array(zstdCompressSync(record))],
  ] as const) {
    it(`give back records compressed with ${compression}, whatever pages they lie across`, () => {
      const records = [0, 1, 2].map((i) => Uint8Array.from({ length: 1 + i * 40_000 }, (_, at) => at * at * (i + 1)));
      const out = new ByteWriter();
      for (const record of records) frameFlagged(out, compress(record), flag);
      expect(recordsOf(out.view())).toMatchObject({ records, damage: undefined, damagedRecords: 0 });
    });

    it(`leave out a record that only says to be compressed with ${compression}`, () => {
      const samples = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0);
      const records = [samples, Uint8Array.of(1), Uint8Array.of(2)];
      const segment = framed(records);
      segment[0] = (segment[0] ?? 0) | flag;
      expect(recordsOf(segment)).toMatchObject({
        records: records.slice(1),
        damage: undefined,
        damagedRecords: 1,
        firstDamage: expect.stringContaining(`${compression}: `),
      });
      expect(recordsOf(segment.slice(0, 26))).toMatchObject({ records: [], goodBytes: 0 });
    });
  }

  it("with one bit flipped anywhere lose that record and no other, or else their end", () => {
    const records = [40, 5, 33_000, 1, 70_000, 9].map((size, i) => new Uint8Array(size).fill(i + 1));
    const segment = framed(records);
    const ends = records.map((_, i) => framed(records.slice(0, i + 1)).length);
    const hit = (at: number) => ends.findIndex((end) => at < end);
    const bits = fc.oneof(
      fc.nat(segment.length * 8 - 1),
      fc.constantFrom(...[0, ...ends.slice(0, -1)].flatMap(headerBits)),
    );
    fc.assert(
      fc.property(bits, (bit) => {
        const flipped = segment.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const read = recordsOf(flipped);
        const isLast = hit(bit >> 3) === records.length - 1;
        expect(read.records.map(({ length }) => length)).toEqual(
          records.filter((_, i) => i !== hit(bit >> 3)).map(({ length }) => length),
        );
        expect(read.damage === undefined).toBe(!isLast);
      }),
      { numRuns: 120 },
    );
  });
});

const headerBits = (at: number) => Array.from({ length: 56 }, (_, bit) => at * 8 + bit);

/** A snappy block of one literal. */
function snappyLiteral(record: Uint8Array): Uint8Array {
  const out = new ByteWriter();
  out.uvarint(record.length);
  const last = record.length - 1;
  for (const byte of [62 << 2, last & 0xff, (last >>> 8) & 0xff, last >>> 16]) out.u8(byte);
  out.raw(record, 0, record.length);
  return out.view();
}

/** As `frameRecord`, with a flag on every fragment. */
function frameFlagged(out: ByteWriter, record: Uint8Array, flag: number): void {
  const start = out.length;
  frameRecord(out, 0, record, 0, record.length);
  for (let at = start; at < out.length;) {
    if (pageBytes - (at % pageBytes) < 7) {
      at += pageBytes - (at % pageBytes);
      continue;
    }
    out.bytes[at] = (out.bytes[at] ?? 0) | flag;
    at += 7 + (((out.bytes[at + 1] ?? 0) << 8) | (out.bytes[at + 2] ?? 0));
  }
}

describe("numbers and texts of the files", () => {
  it("come back as they were written", () => {
    const whole = fc.maxSafeInteger();
    fc.assert(
      fc.property(whole, fc.maxSafeNat(), fc.string({ unit: "grapheme" }), (signed, unsigned, text) => {
        const out = new ByteWriter(1);
        out.i64(signed);
        out.varint(signed);
        out.uvarint(unsigned);
        out.text(text);
        const bytes = out.view();
        const reader = new ByteReader(bytes, 0, bytes.length);
        expect([reader.i64(), reader.varint(), reader.uvarint(), reader.text()]).toEqual([
          signed,
          signed,
          unsigned,
          text,
        ]);
        expect([reader.done, reader.failed]).toEqual([true, false]);
        for (let end = 0; end < bytes.length; end++) {
          const short = new ByteReader(bytes, 0, end);
          short.i64();
          short.varint();
          short.uvarint();
          short.text();
          expect(short.failed).toBe(true);
        }
      }),
    );
  });
});

/** A head's files after some commits, and what it answered at each. */
async function writtenHead() {
  const ports = testPorts();
  const head = await openTestHead(ports, { samplesPerChunk: 4 });
  const states: string[][] = [[]];
  for (let i = 0; i < 7; i++) {
    await appendAll(head, [
      [named("a"), startMs + i, i],
      [named("b", { i: String(i) }), startMs + i, i / 3],
    ]);
    states.push(await dump(head));
  }
  await head.close();
  return { contents: ports.files.contents, states };
}

async function openedOver(contents: ReadonlyMap<string, Uint8Array>) {
  const ports = testPorts();
  await ports.files.makeDirectory("/data/wal");
  await ports.files.makeDirectory("/data/chunks_head");
  for (const [path, bytes] of contents) ports.files.contents.set(path, bytes.slice());
  const head = await openTestHead(ports, { samplesPerChunk: 4 });
  return { head, ports };
}

describe("a head over damaged files", () => {
  const walPath = "/data/wal/00000000";
  const chunkPath = "/data/chunks_head/000001";

  it("whose last segment is cut at any byte has the commits before it, and writes on", async () => {
    const { contents, states } = await writtenHead();
    const segment = contents.get(walPath) ?? new Uint8Array(0);
    const texts = new Set(states.map((state) => state.join("\n")));
    let longest = 0;
    for (let length = 0; length <= segment.length; length++) {
      const { head, ports } = await openedOver(new Map([[walPath, segment.slice(0, length)]]));
      const lines = await dump(head);
      // A commit may come back in part: its series without its samples, which nobody sees.
      expect(texts.has(lines.join("\n"))).toBe(true);
      expect(lines.length).toBeGreaterThanOrEqual(longest);
      longest = lines.length;
      const kept = ports.files.contents.get(walPath)?.length ?? 0;
      expect(head.statistics().repairedBytes).toBe(length - kept);
      await appendAll(head, [[named("z"), startMs + 100, 1]]);
      expect(await dump((await openedOver(ports.files.contents)).head)).toEqual(await dump(head));
    }
    expect(longest).toBe(states.at(-1)?.length);
  });

  it("with any bit flipped loses what one record told, and has nothing else", { timeout: 60_000 }, async () => {
    const { contents, states } = await writtenHead();
    const all = new Set(states.at(-1));
    // Samples are told a commit at a time, and names of series where they first come.
    const commits = states.slice(1).map((state, i) => state.filter((line) => !states[i]?.includes(line)));
    const named = commits.map((commit) => {
      const names = commit.map((line) => line.split(" ")[0]);
      return [...all].filter((line) => names.includes(line.split(" ")[0]) && commit[0] === commits[0]?.[0]);
    });
    const records = [...commits, ...named].map((lines) => new Set(lines));
    for (const path of [walPath, chunkPath]) {
      const bytes = contents.get(path) ?? new Uint8Array(0);
      expect(bytes.length).toBeGreaterThan(20);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const ports = testPorts();
        await ports.files.makeDirectory("/data/wal");
        await ports.files.makeDirectory("/data/chunks_head");
        for (const [other, content] of contents) ports.files.contents.set(other, other === path ? flipped : content);
        const lines = await dump(await openTestHead(ports, { samplesPerChunk: 4 }));
        expect(lines.filter((line) => !all.has(line))).toEqual([]);
        expect(new Set(lines).size).toBe(lines.length);
        // The log has all that the file of closed chunks lost.
        if (path === chunkPath) expect(lines).toEqual(states.at(-1));
        const lost = [...all].filter((line) => !lines.includes(line));
        const isOneRecord = records.some((record) => lost.every((line) => record.has(line)));
        expect(isOneRecord, `bit ${bit} of ${path} lost ${lost.join(", ")}`).toBe(true);
      }
    }
  });

  it("opens on any records that pass their checksums", async () => {
    // Types and a reference that a random byte would seldom hit.
    const record = fc
      .tuple(
        fc.constantFrom([1], [2], [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 97], [2, 0, 0, 0, 0, 0, 0, 0, 1], [3]),
        fc.uint8Array(),
      )
      .map(([start, rest]) => Uint8Array.of(...start, ...rest));
    const { contents } = await writtenHead();
    const segment = contents.get(walPath) ?? new Uint8Array(0);
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 5 }), async (records) => {
        const { head } = await openedOver(new Map([[walPath, Uint8Array.of(...segment, ...framed(records))]]));
        await dump(head);
        await appendAll(head, []);
        expect((await head.maintain(startMs)).ok).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it("goes on behind a segment whose end a crash tore off", async () => {
    const { contents, states } = await writtenHead();
    const segment = contents.get(walPath) ?? new Uint8Array(0);
    const paths = [walPath, "/data/wal/00000001", "/data/wal/00000002"];
    const torn = segment.slice(0, segment.length - 1);
    const { head, ports } = await openedOver(new Map(paths.map((path, i) => [path, i < 2 ? torn : segment])));
    expect(await dump(head)).toEqual(states.at(-1));
    expect([...ports.files.contents.keys()]).toEqual(paths);
    expect(head.statistics().damagedRecords).toBe(0);
  });

  it("removes half-written checkpoints and segments that a checkpoint stands for", async () => {
    const { contents, states } = await writtenHead();
    const segment = contents.get(walPath) ?? new Uint8Array(0);
    const ports = testPorts();
    for (const directory of ["checkpoint.00000003.tmp", "checkpoint.00000001", "checkpoint.00000000"]) {
      await ports.files.makeDirectory(`/data/wal/${directory}`);
      ports.files.contents.set(`/data/wal/${directory}/00000000`, segment);
    }
    await ports.files.makeDirectory("/data/chunks_head");
    ports.files.contents.set("/data/wal/00000001", Uint8Array.of(1, 2, 3));
    const head = await openTestHead(ports, { samplesPerChunk: 4 });
    expect(await dump(head)).toEqual(states.at(-1));
    expect([...ports.files.contents.keys()]).toEqual(["/data/wal/checkpoint.00000001/00000000"]);
    await appendAll(head, [[named("z"), startMs + 100, 1]]);
    expect(ports.files.contents.has("/data/wal/00000002")).toBe(true);
  });

  it("has all of a log that is compressed, and writes on uncompressed", async () => {
    const { contents, states } = await writtenHead();
    const out = new ByteWriter();
    for (const record of recordsOf(contents.get(walPath) ?? new Uint8Array(0)).records) {
      frameFlagged(out, snappyLiteral(record), 0x08);
    }
    const { head, ports } = await openedOver(new Map([[walPath, out.view().slice()]]));
    expect(await dump(head)).toEqual(states.at(-1));
    await appendAll(head, [[named("z"), startMs + 100, 1]]);
    expect(await dump((await openedOver(ports.files.contents)).head)).toEqual(await dump(head));
  });

  it("leaves out a record that makes no sense, and counts it", async () => {
    const { contents, states } = await writtenHead();
    const segment = contents.get(walPath) ?? new Uint8Array(0);
    const senseless = framed([Uint8Array.of(2, 1, 2, 3)]);
    const { head, ports } = await openedOver(new Map([[walPath, Uint8Array.of(...senseless, ...segment)]]));
    expect(await dump(head)).toEqual(states.at(-1));
    expect(head.statistics()).toMatchObject({ damagedRecords: 1, repairedBytes: 0 });
    expect(ports.files.contents.get(walPath)?.length).toBe(senseless.length + segment.length);
  });
});
