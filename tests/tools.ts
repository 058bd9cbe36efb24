/** A folder for PATH that holds some of the system's tools and nothing else. */
export async function linkTools(folder: string, tools: readonly string[]): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  for (const tool of tools) {
    const places = ["/usr/bin", "/bin"].map((place) => `${place}/${tool}`);
    for (const place of places) {
      if (!await Deno.stat(place).catch(() => undefined)) continue;
      await Deno.symlink(place, `${folder}/${tool}`);
      break;
    }
  }
  return folder;
}
