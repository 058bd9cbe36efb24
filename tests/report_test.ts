/**
 * Calls with the report's own scripts, in either direction: Python, numpy, pickle, 4096 bytes at a
 * time.
 */

import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { probe, Running, startClient, startServer, temporaryFolder } from "./harness.ts";
import { paintNumber, readPicture, readPictures, type Size, writeNumbers } from "./numbered.ts";
import { test } from "./strict.ts";

/** The system's Python. Debian's numpy belongs to it. */
const PYTHON = "/usr/bin/python3";
const FRAMES = 20;

const ignore = !await hasNumpy();

async function hasNumpy(): Promise<boolean> {
  try {
    const command = new Deno.Command(PYTHON, { args: ["-c", "import numpy"], stderr: "null" });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

function peer(name: string, ...args: string[]): Running {
  return new Running([PYTHON, `tests/peers/${name}.py`, ...args]);
}

/** Writes bgr24 pictures of these numbers into a file. */
async function pictures(path: string, numbers: readonly number[], size: Size): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const writer = file.writable.getWriter();
  for (const number of numbers) await writer.write(paintNumber(number, size));
  await writer.close();
}

const NUMBERS = Array.from({ length: FRAMES }, (_, n) => n * 100);

for (const protocol of ["2", "3", "4", "5"]) {
  test(
    `the report's client, pickle protocol ${protocol}, is recorded like any caller`,
    async () => {
      await using folder = await temporaryFolder();
      const size: Size = protocol === "4" ? { width: 160, height: 120 } : DEFAULT_FORMAT;
      await pictures(`${folder.path}/pictures`, NUMBERS, size);
      const order = protocol === "3" || protocol === "5" ? "F" : "C";
      const file = `${folder.path}/video.avi`;
      await using called = await startServer(["--record", file]);
      await using client = peer(
        ...["report_client", "127.0.0.1", String(called.port), `${folder.path}/pictures`] as const,
        ...[String(size.height), String(size.width), protocol, order],
      );
      await client.exits(0);
      const { stdout } = await called.server.exits(0);
      assertStringIncludes(stdout, "Call ended by the CLIENT");
      const seen = await readPictures(file);
      assertEquals([...new Set(seen.map(({ number }) => number))], NUMBERS);
      assert(seen.every(({ mirrored }) => !mirrored));
      const { width, height, tag } = await probe(file);
      assertEquals({ width, height, tag }, { width: size.width, height: size.height, tag: "XVID" });
    },
    { ignore, quiet: true },
  );
}

test(
  "our client calls the report's server: right shape, right pixels, and its own end message",
  async () => {
    await using folder = await temporaryFolder();
    await writeNumbers(`${folder.path}/numbers.avi`, NUMBERS, DEFAULT_FORMAT);
    await using server = peer("report_server", `${folder.path}/received`);
    const [, port] = await server.says(/PORT (\d+)/);
    await using client = startClient(Number(port), [
      ...["--wire", "pickle", "--input", `${folder.path}/numbers.avi`, "--no-mirror"],
    ]);
    await client.exits(0);
    const { stdout } = await server.exits(0);
    assertStringIncludes(stdout, "FRAME ndarray uint8 (240, 320, 3) True");
    assertStringIncludes(stdout, `ENDED AFTER ${FRAMES}`);
    const received = await Deno.readFile(`${folder.path}/received`);
    const bytes = received.length / FRAMES;
    const numbers = NUMBERS.map((_, index) =>
      readPicture(received.subarray(index * bytes, (index + 1) * bytes), DEFAULT_FORMAT).number
    );
    assertEquals(numbers, NUMBERS);
  },
  { ignore },
);

test("the report's client hears that we hung up", async () => {
  await using folder = await temporaryFolder();
  const many = Array.from({ length: 300 }, (_, n) => n);
  await pictures(`${folder.path}/pictures`, many, { width: 64, height: 48 });
  await using called = await startServer(["--record", `${folder.path}/video.avi`]);
  await using client = peer(
    ...["report_client", "127.0.0.1", String(called.port), `${folder.path}/pictures`] as const,
    ...["48", "64", "4", "C"],
  );
  await called.server.says(/CONNECTION RECEIVED/);
  called.server.signal("SIGINT");
  await called.server.exits(0);
  assertStringIncludes((await client.exits(0)).stdout, "ENDED BY THE HOST");
}, { ignore });

test(
  "a change of size in the middle ends the call with a reason, and keeps what was recorded",
  async () => {
    await using folder = await temporaryFolder();
    const script = `
import pickle, socket, struct, sys, time, numpy
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for rows in [240] * 10 + [120]:
    d = pickle.dumps(numpy.zeros((rows, 320, 3), numpy.uint8))
    s.sendall(struct.pack("Q", len(d)) + d)
    time.sleep(0.05)
s.recv(1)
`;
    const file = `${folder.path}/video.avi`;
    await using called = await startServer(["--record", file]);
    await using client = new Running([PYTHON, "-c", script, String(called.port)]);
    const { stderr } = await called.server.exits(1);
    assertStringIncludes(stderr, "the size changed from 320x240 to 320x120");
    // A pause of the machine becomes one of the recording, and the frames after it are too fast.
    assertLessOrEqual(Math.abs((await probe(file)).frames - 10), 4);
    await client.ended;
  },
  { ignore },
);
