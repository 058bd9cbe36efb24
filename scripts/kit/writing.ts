/** Writing that does not stop halfway: a connection or a pipe may take less than it is offered. */

/** Writes all of it to a connection. */
export async function writeAll(connection: Deno.Conn, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length;) at += await connection.write(data.subarray(at));
}

/** Writes all of it to standard output. */
export function showBytes(data: Uint8Array): void {
  for (let at = 0; at < data.length;) at += Deno.stdout.writeSync(data.subarray(at));
}

/** Prints a line. */
export function print(line: string): void {
  showBytes(new TextEncoder().encode(`${line}\n`));
}
